"""AutoGen 0.2's embedded executor."""

from __future__ import annotations

from autogen.coding import CodeBlock
from autogen.coding.jupyter import EmbeddedIPythonCodeExecutor


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.executor = EmbeddedIPythonCodeExecutor(timeout=int(timeout))

    def execute(self, code: str) -> str:
        output: str = self.executor.execute_code_blocks([CodeBlock(code=code, language="python")]).output
        return output

    def close(self) -> None:
        # It has no method for this.
        self.executor._kernel_client.stop_channels()
        self.executor._kernel_manager.shutdown_kernel(now=True)
