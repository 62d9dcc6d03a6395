"""cellblock's blocking session on kernels that have waited in a pool, each in a sandbox."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.contenders import cellblock_pooled
from cellblock import Sandbox
from cellblock.kernels.pool import KernelPool


class Contender(cellblock_pooled.Contender):
    pool: ClassVar[KernelPool] = KernelPool(2, sandbox=Sandbox())
