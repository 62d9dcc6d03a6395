"""cellblock's blocking session on kernels that have waited in a pool."""

from __future__ import annotations

from typing import ClassVar

from cellblock import Session
from cellblock.kernels.pool import KernelPool


class Contender:
    """The pool is made once, as a program makes it at its start."""

    pool: ClassVar[KernelPool] = KernelPool(2)

    def __init__(self, timeout: float = 60.0) -> None:
        self.session = Session(self.pool.kernel(), timeout=timeout)

    def execute(self, code: str) -> str:
        return self.session.run(code).text

    def close(self) -> None:
        self.session.close()
