"""cellblock's executor on a local server of cellblock's."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.contenders import cellblock_executor
from cellblock import JupyterCodeExecutor
from cellblock.coding.jupyter import LocalJupyterServer


class Contender(cellblock_executor.Contender):
    """The server is started once, as a program starts it."""

    server: ClassVar[LocalJupyterServer] = LocalJupyterServer()

    def __init__(self, timeout: float = 60.0) -> None:
        self.executor = JupyterCodeExecutor(self.server, timeout=int(timeout))
