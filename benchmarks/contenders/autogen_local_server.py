"""AutoGen 0.2's executor on a local server of AutoGen's."""

from __future__ import annotations

from typing import ClassVar

from autogen.coding import CodeBlock
from autogen.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer


class Contender:
    """The server is started once, as a program starts it."""

    server: ClassVar[LocalJupyterServer] = LocalJupyterServer()

    def __init__(self, timeout: float = 60.0) -> None:
        self.executor = JupyterCodeExecutor(self.server, timeout=int(timeout))

    def execute(self, code: str) -> str:
        output: str = self.executor.execute_code_blocks([CodeBlock(code=code, language="python")]).output
        return output

    def close(self) -> None:
        self.executor.stop()
