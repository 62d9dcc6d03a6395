"""cellblock's blocking session on kernels that have waited in a pool and have imported the packages already."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.contenders import cellblock_pooled
from cellblock.kernels.pool import KernelPool


class Contender(cellblock_pooled.Contender):
    pool: ClassVar[KernelPool] = KernelPool(2, preload=["numpy", "pandas", "matplotlib"])
