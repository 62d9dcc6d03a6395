"""A local server of AutoGen 0.2's, a new one each time."""

from __future__ import annotations

from autogen.coding import CodeBlock
from autogen.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.timeout = int(timeout)
        self.server = LocalJupyterServer()

    def execute(self, code: str) -> str:
        executor = JupyterCodeExecutor(self.server, timeout=self.timeout)
        try:
            output: str = executor.execute_code_blocks([CodeBlock(code=code, language="python")]).output
            return output
        finally:
            executor.stop()

    def close(self) -> None:
        self.server.stop()
