"""The part of a sandbox's limits that Linux holds each of its processes to."""

from __future__ import annotations

import math
import os
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellblock.kernels.sandbox.options import Limits

__all__ = ["OPEN_FILES", "processors", "rlimits", "threads"]

OPEN_FILES = 1024
"""How many files a process may have open."""


def rlimits(limits: Limits, largest: int) -> dict[str, int]:
    """The value of each resource limit, by the end of its name.

    A process that asks for too much memory gets a MemoryError before the whole sandbox is over its limit and something is
    killed, so that the kernel's state survives. The address space is not limited: programs reserve much that they never use.

    Args:
        limits: The sandbox's.
        largest: The size of the largest file there is, to which something may be added.
    """
    return {
        "DATA": limits.memory * 7 // 8,
        "FSIZE": limits.disk + largest,  # the guard adds files up, and sees what was removed
        "NPROC": limits.pids,
        "NOFILE": OPEN_FILES,
        "MEMLOCK": 8 * 2**20,
        "MSGQUEUE": 0,
        "CORE": 0,
        "RTPRIO": 0,
        "NICE": 0,
    }


def processors(limits: Limits) -> list[int] | None:
    """The processors to run on, where nothing else limits their time; None for all.

    Args:
        limits: The sandbox's.
    """
    if limits.cpus is None:
        return None
    available = sorted(os.sched_getaffinity(0))
    return sorted(random.sample(available, min(math.ceil(limits.cpus), len(available))))


def threads(limits: Limits) -> int:
    """How many threads a library should calculate with: some programs at a time must find room.

    Args:
        limits: The sandbox's.
    """
    cpus = math.inf if limits.cpus is None else math.ceil(limits.cpus)
    return int(min(len(os.sched_getaffinity(0)), cpus, max(1, limits.pids // 32)))
