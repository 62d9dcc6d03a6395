"""A server that speaks OpenAI's and Anthropic's APIs over HTTP and answers by a script."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Says:
    """A regular answer."""

    content: str | None
    model: str = "gpt-4-0613"
    prompt_tokens: int = 10
    completion_tokens: int = 5

    def completion(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.content}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": self._usage(),
        }

    def chunks(self) -> list[dict[str, Any]]:
        common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": self.model}
        words = (self.content or "").split(" ")
        pieces = [word + " " for word in words[:-1]] + words[-1:]
        choices = [{"index": 0, "delta": {"content": piece}, "finish_reason": None} for piece in pieces]
        choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
        return [common | {"choices": [choice]} for choice in choices] + [
            common | {"choices": [], "usage": self._usage()}
        ]

    def anthropic(self) -> dict[str, Any]:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [{"type": "text", "text": self.content}] if self.content else [],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": self.prompt_tokens, "output_tokens": self.completion_tokens},
        }

    def _usage(self) -> dict[str, int]:
        total = self.prompt_tokens + self.completion_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
        }


@dataclass(frozen=True)
class Sends:
    """An answer of any bytes; ``cut`` breaks the connection after them."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    cut: bool = False


class Hangs:
    """No answer, for as long as the server runs."""


Step = Says | Sends | Hangs | str


@dataclass
class ModelServer:
    """Answers each request with the next step of its script; use it with ``with``."""

    script: list[Step] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def config(self, **more: Any) -> dict[str, Any]:
        """An ``llm_config`` for this server, without a cache."""
        return {"config_list": [{"model": "gpt-4", "api_key": "key", "base_url": self.url}], "cache_seed": None} | more

    def next_step(self) -> Step:
        return self.script.pop(0) if self.script else Sends(b'{"error": {"message": "the script is over"}}', 400)


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append(request)
            server.paths.append(self.path)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            step = server.next_step()
            if isinstance(step, str):
                step = Says(step)
            if isinstance(step, Hangs):
                self.close_connection = True
                server.closing.wait()
            elif isinstance(step, Sends):
                self._send(step)
            elif self.path.endswith("/messages"):
                self._send(Sends(json.dumps(step.anthropic()).encode()))
            elif request.get("stream"):
                self._stream([f"data: {json.dumps(chunk)}\n\n" for chunk in step.chunks()] + ["data: [DONE]\n\n"])
            else:
                self._send(Sends(json.dumps(step.completion()).encode()))

        def _send(self, step: Sends) -> None:
            self.send_response(step.status)
            self.send_header("Content-Type", step.content_type)
            if step.cut and step.content_type == "text/event-stream":
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(step.body), step.body))
            else:
                self.send_header("Content-Length", str(len(step.body) + (100 if step.cut else 0)))
                self.send_header("Retry-After-Ms", "10")
                self.end_headers()
                self.wfile.write(step.body)
            if step.cut:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        def _stream(self, events: list[str]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in events:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event.encode()))
            self.wfile.write(b"0\r\n\r\n")

    return Handler
