"""nbclient, a cell at a time."""

from __future__ import annotations

from contextlib import ExitStack

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.notebook = new_notebook()
        self.client = NotebookClient(self.notebook, timeout=timeout, kernel_name="python3")
        self.stack = ExitStack()
        self.stack.enter_context(self.client.setup_kernel())

    def execute(self, code: str) -> str:
        self.notebook.cells = [new_code_cell(code)]
        cell = self.client.execute_cell(self.notebook.cells[0], 0)
        return "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"])

    def close(self) -> None:
        self.stack.close()
