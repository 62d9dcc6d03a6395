"""Records what kernels say to a few cells: ``PYTHONPATH=src:tests python -m recordings.record`` in the project's folder.

Each line of a recording is ``{"cell": its name, "request": message}`` or ``{"cell": its name, "message": message}``, in the
order in which the messages arrived.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock._core.execution import Execution
from cellblock._core.messages import Message, Requests
from cellblock.kernels.launch import ConnectionFileLauncher
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.remote import RemoteKernel
from cellblock.transports.websocket import WebSocketTransport
from kernelspecs import BASH, KernelSpecs
from servers.stock import stock_server

if TYPE_CHECKING:
    from cellblock.kernels import Kernel
    from cellblock.transports import Transport

FOLDER = Path(__file__).parent

PYTHON = {
    "nothing": "x = 1",
    "streams": (
        "import sys\nprint('one', flush=True)\nprint('two', file=sys.stderr, flush=True)\nprint('three', flush=True)\n6 * 7"
    ),
    "error": "print('before')\n1/0",
    "displays": (
        "from IPython.display import display, clear_output, HTML\n"
        "handle = display({'text/plain': 'first'}, raw=True, display_id='d')\n"
        "display(HTML('<b>bold</b>'))\n"
        "handle.update({'text/plain': 'second'}, raw=True)\n"
        "'value'"
    ),
    "cleared": (
        "from IPython.display import clear_output\nprint('gone', flush=True)\nclear_output(wait=True)\nprint('kept', flush=True)"
    ),
    "many": "import sys\nfor i in range(30): print(i, file=(sys.stdout, sys.stderr)[i % 2], flush=True)",
    "shows_itself": "class Shows:\n    def _ipython_display_(self): print('itself', flush=True)\nShows()",
}
BASH_CELLS = {
    "nothing": "x=1",
    "streams": "echo one; echo two; echo $x",
    "error": "echo before; nosuchcommand; false",
}
SHARED = "import time; print('began', flush=True); time.sleep(0.5); print('ended')"


async def answered(transport: Transport, requests: Requests) -> None:
    """Reads until the kernel has answered all it was asked while it started."""
    request = requests.make("kernel_info_request", {})
    await transport.send(request)
    left = {"shell", "iopub"}
    while left:
        message = await transport.receive()
        if message.parent_id == request.msg_id and message.content.get("execution_state") != "busy":
            left.discard(message.channel)


async def conversation(transport: Transport, requests: Requests, code: str) -> list[tuple[str, Message]]:
    """A request and what came until its cell was over."""
    request = requests.execute(code)
    execution, said = Execution(request), [("request", request)]
    await transport.send(request)
    async with asyncio.timeout(30):
        while not execution.over:
            message = await transport.receive()
            said.append(("message", message))
            execution.receive(message)
    return said


async def record(name: str, kernel: Kernel, cells: dict[str, str]) -> None:
    transport = await kernel.start()
    try:
        requests = Requests()
        await answered(transport, requests)
        recorded = {cell: await conversation(transport, requests, code) for cell, code in cells.items()}
        if isinstance(kernel, RemoteKernel):
            recorded["shared"] = await beside_another_client(kernel, transport, requests)
    finally:
        await kernel.stop()
        await transport.close()
    with (FOLDER / f"{name}.jsonl").open("w", encoding="utf-8") as file:
        for cell, said in recorded.items():
            for kind, message in said:
                file.write(json.dumps({"cell": cell, kind: as_json(message)}, ensure_ascii=False) + "\n")


async def beside_another_client(
    kernel: RemoteKernel, transport: Transport, requests: Requests
) -> list[tuple[str, Message]]:
    """A cell during which another client of the kernel asks it things, on the control channel, which does not wait."""
    assert kernel.kernel_id is not None
    other = WebSocketTransport(kernel.connection_info, kernel.kernel_id)
    await other.open()
    running = asyncio.create_task(conversation(transport, requests, SHARED))
    while (await other.receive()).content.get("text") != "began\n":
        pass
    for _ in range(3):
        await other.send(Requests().make("kernel_info_request", {}, channel="control"))
    said = await running
    await other.close()
    return said


def as_json(message: Message) -> dict[str, object]:
    header, parent = ({**h, "username": "user"} if h else {} for h in (message.header, message.parent_header))
    return {**dataclasses.asdict(message), "header": header, "parent_header": parent, "buffers": []}


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        KernelSpecs(Path(folder)).add("bash", BASH, "bash")
        os.environ["JUPYTER_PATH"] = folder
        await record("ipykernel", LocalKernel(launcher=ConnectionFileLauncher()), PYTHON)
        await record("bash_kernel", LocalKernel("bash"), BASH_CELLS)
        with stock_server(Path(folder) / "server") as server:
            await record("jupyter_server", RemoteKernel(server.info), PYTHON)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
