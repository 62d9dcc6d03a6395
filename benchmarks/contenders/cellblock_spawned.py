"""cellblock's blocking session on a kernel that is started as a program, not forked from one that is warm."""

from __future__ import annotations

from cellblock import Session
from cellblock.kernels.launch import DescriptorLauncher
from cellblock.kernels.local import LocalKernel


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.session = Session(LocalKernel(launcher=DescriptorLauncher()), timeout=timeout)

    def execute(self, code: str) -> str:
        return self.session.run(code).text

    def close(self) -> None:
        self.session.close()
