"""cellblock's blocking session on a kernel in a sandbox, forked into it."""

from __future__ import annotations

import cellblock.kernels.local
import cellblock.kernels.sandbox.launcher  # noqa: F401 - see cellblock_session
from cellblock import Sandbox, Session


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.session = Session(sandbox=Sandbox(), timeout=timeout)

    def execute(self, code: str) -> str:
        return self.session.run(code).text

    def close(self) -> None:
        self.session.close()
