"""A local server of cellblock's, a new one each time."""

from __future__ import annotations

from cellblock import CodeBlock
from cellblock.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.timeout = int(timeout)
        self.server = LocalJupyterServer()

    def execute(self, code: str) -> str:
        with JupyterCodeExecutor(self.server, timeout=self.timeout) as executor:
            return executor.execute_code_blocks([CodeBlock(code=code, language="python")]).output

    def close(self) -> None:
        self.server.stop()
