"""jupyter_client's own blocking client and manager."""

from __future__ import annotations

from typing import Any

from jupyter_client.manager import start_new_kernel


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.timeout = timeout
        self.manager, self.client = start_new_kernel()

    def execute(self, code: str) -> str:
        texts: list[str] = []

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            texts.append(content.get("text") or content.get("data", {}).get("text/plain", ""))

        self.client.execute_interactive(code, timeout=self.timeout, output_hook=take)
        return "".join(texts)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
