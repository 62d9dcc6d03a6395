"""The least a client can do: two polled ZMQ sockets, on a kernel that cellblock started.

It shows what the client side of cellblock adds to a cell. It checks no signatures and keeps only texts.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import zmq

from cellblock.kernels.local import LocalKernel

_DELIMITER = b"<IDS|MSG>"


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.timeout = timeout
        self.loop = asyncio.new_event_loop()
        self.kernel = LocalKernel()
        transport = self.loop.run_until_complete(self.kernel.start())
        # The loop does not run between cells: the sockets are ours alone.
        transport._taken.close()  # and nobody tells the kernel how much of what it said was read
        self.shell, self.iopub = transport._sockets["shell"], transport._sockets["iopub"]
        self.signer = transport._signer
        self.poller = zmq.Poller()
        self.poller.register(self.shell, zmq.POLLIN)
        self.poller.register(self.iopub, zmq.POLLIN)

    def execute(self, code: str) -> str:
        wanted = self.request(code)
        texts: list[str] = []
        replied = idle = False
        while not (replied and idle):
            for socket, _ in self.poller.poll(self.timeout * 1000):
                kind, parent, content = self.read(socket)
                if parent != wanted:
                    continue
                if socket is self.shell:
                    replied = True
                elif kind == "status":
                    idle = json.loads(content)["execution_state"] == "idle"
                elif kind == "stream":
                    texts.append(json.loads(content)["text"])
                elif kind in {"execute_result", "display_data"}:
                    texts.append(json.loads(content)["data"]["text/plain"])
        return "".join(texts)

    def request(self, code: str) -> str:
        request_id = uuid.uuid4().hex
        header = {"msg_id": request_id, "msg_type": "execute_request", "session": "bare", "username": "bare", "version": "5.3",
                  "date": datetime.now(UTC).isoformat()}  # fmt: skip
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False,
                   "stop_on_error": True}  # fmt: skip
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        self.shell.send_multipart([_DELIMITER, self.signer.sign(parts), *parts])
        return request_id

    def read(self, socket: zmq.Socket[bytes]) -> tuple[str, str, bytes]:
        frames: list[Any] = socket.recv_multipart()
        header, parent, _, content = frames[frames.index(_DELIMITER) + 2 :][:4]
        return json.loads(header)["msg_type"], json.loads(parent).get("msg_id", ""), content

    def close(self) -> None:
        self.loop.run_until_complete(self.kernel.stop())
        self.loop.close()
