"""cellblock's executor, as an agent uses it."""

from __future__ import annotations

from pathlib import Path

from cellblock import CodeBlock, JupyterCodeExecutor


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.executor = JupyterCodeExecutor(timeout=int(timeout))

    def execute(self, code: str) -> str:
        result = self.executor.execute_code_blocks([CodeBlock(code=code, language="python")])
        whole = [Path(file) for file in result.output_files if file.endswith(".txt")]
        return whole[0].read_text() if whole else result.output

    def close(self) -> None:
        self.executor.stop()
