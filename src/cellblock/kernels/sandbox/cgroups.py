"""Control groups: limits on all processes of a sandbox together, kept by Linux itself, where we may set them.

Sources: the kernel's "Control Group v2" (admin-guide/cgroup-v2) and, for version 1, cgroup-v1/memory, cgroup-v1/pids and
scheduler/sched-bwc.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.errors import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellblock.kernels.sandbox.options import Limits

__all__ = ["Cgroup", "Parents", "find_parents"]

_NEEDED = frozenset({"memory", "pids"})
_USED = ("memory", "pids", "cpu")
_PERIOD = 100_000  # microseconds in which a share of processor time is counted
_NAME = "cellblock-"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Parents:
    """Where control groups for sandboxes can be made.

    Attributes:
        unified: The folder of a group of version 2; None where version 1 is in use.
        by_controller: With version 1, the folder of a group for each controller.
    """

    unified: Path | None = None
    by_controller: tuple[tuple[str, Path], ...] = ()


class Cgroup:
    """A control group with limits, empty at first.

    Args:
        parents: Where to make it.
        limits: Those it keeps.

    Raises:
        OSError: It may not be made, or has not the files it should have.
        SandboxUnavailable: Linux refuses a value, so that nothing would keep the limit that was asked for.
    """

    def __init__(self, parents: Parents, limits: Limits) -> None:
        name = f"{_NAME}{os.getpid()}-{next(_numbers)}"
        self._folders: dict[str, Path] = {}
        self._limits_processors = False
        try:
            if parents.unified is not None:
                self._make("unified", parents.unified / name)
                self._set_unified(limits)
            else:
                for controller, parent in parents.by_controller:
                    if controller in _NEEDED or limits.cpus is not None:  # each costs milliseconds
                        self._make(controller, parent / name)
                self._set_by_controller(limits)
        except (OSError, SandboxUnavailable):
            self.close()
            raise

    @property
    def limits_processors(self) -> bool:
        """Whether it limits the time of processors."""
        return self._limits_processors

    def add(self, pid: int) -> None:
        """Puts a process, and all it will start, under the limits.

        Args:
            pid: The process.
        """
        for folder in self._folders.values():
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def killed_for_memory(self) -> int:
        """How many processes of the group were killed because the memory was used up."""
        if "unified" in self._folders:
            return _count(self._folders["unified"] / "memory.events", "oom_kill")
        return _count(self._folders["memory"] / "memory.oom_control", "oom_kill")

    def close(self) -> None:
        """Removes the group, in which nothing may run any more; what cannot be is removed by a later owner."""
        for folder in self._folders.values():
            with contextlib.suppress(OSError):
                folder.rmdir()
        self._folders.clear()

    def _make(self, key: str, folder: Path) -> None:
        folder.mkdir()
        self._folders[key] = folder

    def _set_unified(self, limits: Limits) -> None:
        group = self._folders["unified"]
        _write(group / "memory.max", limits.memory)
        if (group / "memory.swap.max").exists():
            _write(group / "memory.swap.max", 0)
        _write(group / "pids.max", limits.pids)
        if limits.cpus is not None and (group / "cpu.max").exists():
            _write(group / "cpu.max", f"{_quota(limits.cpus)} {_PERIOD}")
            self._limits_processors = True

    def _set_by_controller(self, limits: Limits) -> None:
        _write(self._folders["memory"] / "memory.limit_in_bytes", limits.memory)
        with_swap = self._folders["memory"] / "memory.memsw.limit_in_bytes"
        if with_swap.exists():
            _write(with_swap, limits.memory)
        _write(self._folders["pids"] / "pids.max", limits.pids)
        if limits.cpus is not None and "cpu" in self._folders:
            _write(self._folders["cpu"] / "cpu.cfs_period_us", _PERIOD)
            _write(self._folders["cpu"] / "cpu.cfs_quota_us", _quota(limits.cpus))
            self._limits_processors = True


def find_parents(proc: Path = Path("/proc/self")) -> Parents | None:
    """Where this process may make control groups that limit memory and processes; None if nowhere.

    With version 2 that is the nearest group above this process which hands both controllers down and belongs to us: a
    user's own under systemd, where the administrator delegates them. With version 1 it is this process's own.

    Args:
        proc: The folder of this process in /proc.
    """
    own = dict(_own_groups(proc))
    folders = {name: folder for name, folder in _mounted(proc, own).items() if folder.is_dir()}
    if folders.keys() >= _NEEDED:
        used = tuple((name, folders[name]) for name in _USED if name in folders)
        found = Parents(by_controller=used) if all(os.access(folder, os.W_OK) for _, folder in used) else None
    else:
        unified = folders.get("")
        top = None if unified is None else _handing_down(unified)
        found = None if top is None else Parents(unified=top)
    if found is not None:
        _sweep(found)
    return found


def _own_groups(proc: Path) -> Iterator[tuple[str, str]]:
    """For each controller ("" for version 2) the path of this process's group."""
    for line in (proc / "cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _mounted(proc: Path, own: dict[str, str]) -> dict[str, Path]:
    """The same as folders, as far as they are mounted."""
    found = {}
    for line in (proc / "mountinfo").read_text(encoding="utf-8").splitlines():
        place, _, kind = line.partition(" - ")
        _, _, _, root, mount_point, *_ = place.split()
        kind, _, options = kind.split(" ", 2)
        controllers = {"cgroup2": [""], "cgroup": options.split(",")}.get(kind, [])
        for controller in controllers:
            if controller in own:
                found[controller] = Path(mount_point, os.path.relpath(own[controller], root))
    return {name: Path(os.path.normpath(folder)) for name, folder in found.items()}


def _handing_down(group: Path) -> Path | None:
    """The nearest group from this one up in which we may make another with limits of its own."""
    for candidate in (group, *group.parents):
        handed_down = candidate / "cgroup.subtree_control"
        if not handed_down.exists():
            return None
        ours = os.access(candidate, os.W_OK) and os.access(candidate / "cgroup.procs", os.W_OK)
        if ours and set(handed_down.read_text(encoding="ascii").split()) >= _NEEDED:
            return candidate
    return None


def _sweep(parents: Parents) -> None:
    """Removes the empty groups of owners that were killed."""
    places = [parents.unified] if parents.unified else [folder for _, folder in parents.by_controller]
    for place in places:
        for left in place.glob(f"{_NAME}*"):
            owner = left.name.removeprefix(_NAME).partition("-")[0]
            if not Path("/proc", owner).exists():
                with contextlib.suppress(OSError):
                    left.rmdir()


def _write(file: Path, value: int | str) -> None:
    try:
        file.write_text(str(value), encoding="ascii")
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ERANGE):
            raise
        raise SandboxUnavailable(
            f"A sandbox was wanted with a limit that Linux does not take: {value} for {file.name} of its control group "
            f"({error.strerror}). Ask for less, or for more if it is next to nothing."
        ) from None


def _quota(cpus: float) -> int:
    """Microseconds of each period; more processors than there are make no difference."""
    return int(min(cpus, os.cpu_count() or 1) * _PERIOD)


def _count(file: Path, name: str) -> int:
    pairs = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return int(dict(pair for pair in pairs if len(pair) == 2).get(name, 0))
