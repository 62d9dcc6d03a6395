"""A sandbox's limits on all of it together, kept by a control group where we may have one and by a guard where not."""

from __future__ import annotations

import contextlib
import functools
import logging
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.kernels.sandbox.cgroups import Cgroup, find_parents
from cellblock.kernels.sandbox.guard import Check, DiskCheck, DiskUse, Guard, KillCheck, MemoryCheck, out_of_memory
from cellblock.kernels.sandbox.layout import MEMORY_FOLDERS
from cellblock.kernels.sandbox.rlimits import processors, rlimits
from cellblock.kernels.sandbox.seccomp import further_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock.kernels.sandbox.cgroups import Parents
    from cellblock.kernels.sandbox.options import Limits

__all__ = ["Limiter", "cgroup_parents"]

_ROOM_TO_TIDY_UP = 2**20  # bytes a kernel may write although those before it have filled the disk
_log = logging.getLogger(__name__)


@functools.cache
def cgroup_parents() -> Parents | None:
    """Where this process may make control groups; looked up once."""
    return find_parents()


class Limiter:
    """Keeps the limits of one sandbox.

    Args:
        limits: Those to keep.
        workspace: The host's directory whose growth is limited.
        before: What is in it now, as ``disk_use`` gives it.
        allowance: Bytes of the limit that earlier kernels left.

    Raises:
        SandboxUnavailable: Linux refuses a limit.
    """

    def __init__(self, limits: Limits, workspace: Path, *, before: DiskUse, allowance: int) -> None:
        self._limits, self._workspace, self._before = limits, workspace, before
        self._allowance = max(allowance, _ROOM_TO_TIDY_UP)
        self._cgroup = _cgroup(limits)
        self._kills = None if self._cgroup is None else KillCheck(self._cgroup.killed_for_memory)
        self._guard: Guard | None = None

    @property
    def for_each_process(self) -> dict[str, int]:
        """What each process is limited to by itself."""
        return rlimits(self._limits, self._before.largest)

    @property
    def processors(self) -> list[int] | None:
        """The processors to run on, if nothing else keeps the limit of their time; None for all."""
        return None if self._cgroup is not None and self._cgroup.limits_processors else processors(self._limits)

    @property
    def filter(self) -> bytes:
        """A filter of the system calls by which code could get around these limits; empty if there is none."""
        # A file in memory that is on its way through a socket is nobody's to be measured; a control group counts it.
        missing = ["memfd_create"] if self._cgroup is None else []
        refused = [] if self.processors is None else ["sched_setaffinity"]
        return further_program(platform.machine(), refused=refused, missing=missing)

    def hold(self, process: int) -> None:
        """Begins to keep the limits.

        Args:
            process: The id of the process that all of the user's will descend from, which has not started another.
        """
        if self._cgroup is not None:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                self._cgroup.add(process)

    def watch(self, first: int, report: Callable[[str], None], *, joined: int | None = None) -> None:
        """Begins to measure; to be called when the sandbox has its own view of the files.

        Args:
            first: The process id of its first process.
            report: Told what went too far, as a sentence, in another thread.
            joined: The id of a process that came in from outside, if one did.
        """
        in_memory = [Path(f"/proc/{first}/root{folder}") for folder in MEMORY_FOLDERS]
        disk = DiskCheck(
            self._workspace, in_memory, before=self._before.used, allowance=self._allowance, limit=self._limits.disk
        )
        checks: list[Check] = [disk]
        checks.append(self._kills or MemoryCheck(in_memory, self._limits.memory))
        self._guard = Guard([first] if joined is None else [first, joined], checks, report)

    @property
    def verdict(self) -> str:
        """Which limit something was killed for by Linux, as a sentence; empty if for none."""
        if self._kills is not None and self._kills.killed_just_now:
            return out_of_memory(self._limits.memory)
        return ""

    def close(self) -> None:
        """Lets go of a sandbox that is gone."""
        if self._guard is not None:
            self._guard.stop()
        if self._cgroup is not None:
            self._cgroup.close()


def _cgroup(limits: Limits) -> Cgroup | None:
    parents = cgroup_parents()
    if parents is None:
        return None
    try:
        return Cgroup(parents, limits)
    except OSError as error:
        _log.info("No control group could be made for a sandbox, so its memory is measured instead: %s", error)
        return None
