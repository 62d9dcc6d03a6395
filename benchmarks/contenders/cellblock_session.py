"""cellblock's blocking session."""

from __future__ import annotations

import cellblock.kernels.forkserver.launcher
import cellblock.kernels.local  # noqa: F401 - what a session imports when it is made; imports have measures of their own
from cellblock import Session


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.session = Session(timeout=timeout)

    def execute(self, code: str) -> str:
        return self.session.run(code).text

    def close(self) -> None:
        self.session.close()
