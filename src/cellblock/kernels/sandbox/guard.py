"""Limits on all of a sandbox together that Linux does not keep for us: measured from outside, again and again.

Where there is no control group this is all there is against many processes that use a little too much each. It sees what
they hold when it looks, so it protects from accidents; somebody who knows it can be quicker.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cellblock.kernels.sandbox.held_files import nameless_files, written
from cellblock.kernels.sandbox.sizes import in_words
from cellblock.kernels.sandbox.tree import DEEPEST, TooDeep, folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Check", "DiskCheck", "Guard", "KillCheck", "MemoryCheck", "disk_full", "disk_use", "out_of_memory"]

_PAUSE = 0.1  # seconds between looks
_SHARE = 3  # a look that takes long is followed by a pause so many times as long
_LOOK_ANYWAY = 5.0  # seconds after which a workspace is gone through although its disk has not filled
_SMALLEST = 4096  # bytes that a file or directory counts at least: empty ones use up a disk too
_LOOKS_BACK = 20
_SLACK = 2**20  # bytes over the limit that are let pass: who is at it with one file gets an error, and lives on
_INODE = 1024  # bytes of the host's memory that a file in memory takes beside its content


class Check(Protocol):
    """One limit.

    Attributes:
        owes_a_look: Whether it has put off what it would have looked at.
    """

    owes_a_look: bool

    def exceeded(self, processes: Sequence[int]) -> str:
        """What went too far, as a sentence; empty if nothing did.

        Args:
            processes: The ids of those in the sandbox.
        """


class Guard:
    """Looks after one sandbox in a thread of its own until it is stopped or has found something.

    Args:
        roots: The ids of the processes that all others in the sandbox descend from.
        checks: What to look at.
        report: Told what was found, once, in that thread.
    """

    def __init__(self, roots: Sequence[int], checks: Sequence[Check], report: Callable[[str], None]) -> None:
        self._roots, self._checks, self._report = roots, checks, report
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="cellblock-guard", daemon=True).start()

    def stop(self) -> None:
        """Ends the thread, soon."""
        self._stopped.set()

    def _run(self) -> None:
        pause, worked = 0.0, -1
        while not self._stopped.wait(pause):
            began = time.monotonic()
            processes = list(_processes(self._roots))
            before, worked = worked, _processor_time(processes)
            # Who does not run takes nothing.
            found = self._look([check for check in self._checks if worked != before or check.owes_a_look], processes)
            if found and not self._stopped.is_set():
                self._report(found)
                return
            pause = max(_PAUSE, _SHARE * (time.monotonic() - began))

    def _look(self, checks: Sequence[Check], processes: Sequence[int]) -> str:
        try:
            return next(filter(None, (check.exceeded(processes) for check in checks)), "")
        except Exception as error:  # a guard that cannot look must not let anything pass
            return f"The limits of the sandbox could not be measured any more ({error!r}), so its kernel was killed."


class KillCheck:
    """Whether Linux has killed something for the limit of memory just now, which then is why a kernel died.

    A child may have been killed long before; its kernel lived on. How long it takes to take a large process down, nobody knows:
    it is noticed that long after.

    Args:
        count: Gives how many were killed so far.
    """

    owes_a_look = True  # a kernel that waits for the child may not have run since

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._seen = deque([0] * _LOOKS_BACK, maxlen=_LOOKS_BACK)

    def exceeded(self, processes: Sequence[int]) -> str:  # noqa: ARG002 - the interface's
        """See ``Check``; nothing has to be done about it."""
        self._seen.append(self._count())
        return ""

    @property
    def killed_just_now(self) -> bool:
        """Whether something was killed within the last looks, which are a few seconds."""
        return self._count() > self._seen[0]


class MemoryCheck:
    """How much memory all processes hold, files in memory included; shared pages count once.

    Args:
        folders: The folders, as the host reaches them, whose files are in memory.
        limit: In bytes.
    """

    owes_a_look = False

    def __init__(self, folders: Sequence[Path], limit: int) -> None:
        self._folders, self._limit = folders, limit

    def exceeded(self, processes: Sequence[int]) -> str:
        """See ``Check``."""
        private = shared = 0
        for process in processes:
            mine, ours = _memory(process)
            private += mine
            shared += ours
        nameless = {(s.st_dev, s.st_ino): s.st_blocks * 512 for s in nameless_files(processes, in_memory=True)}
        # Mapped files in memory are in both figures.
        shared = max(shared, sum(nameless.values()) + sum(map(_held_by, self._folders)))
        return out_of_memory(self._limit) if private + shared > self._limit else ""


class DiskCheck:
    """How much the code has written to disk, files without a name included.

    Some of these cannot be seen: mapped ones by an ordinary user, and those that are on their way through a socket. So neither
    may the disk have filled, while the code wrote as much, by more than the allowance beyond what is seen.

    Args:
        workspace: On the host.
        in_memory: Folders, as the host reaches them, whose files are in memory and do not count.
        before: Bytes that the workspace took.
        allowance: Bytes that may be added.
        limit: What the code is said to be allowed, in bytes.
    """

    def __init__(self, workspace: Path, in_memory: Sequence[Path], *, before: int, allowance: int, limit: int) -> None:
        self._workspace, self._in_memory, self._limit = workspace, in_memory, limit
        self._before, self._allowance = before, allowance + _SLACK
        self._worth_a_look = allowance // 4
        self._whole_disk = self._at_first = _taken(workspace)
        self._looked = 0.0
        self.owes_a_look = True

    def exceeded(self, processes: Sequence[int]) -> str:
        """See ``Check``."""
        self.owes_a_look = not self._due()
        if self.owes_a_look:
            return ""
        try:
            used = disk_use(self._workspace).used
        except FileNotFoundError:  # removed by the host
            return ""
        except TooDeep:
            return (
                f"The code nested directories more than {DEEPEST} deep in its workspace, so its kernel was killed "
                "and those below are removed."
            )
        memory = {folder.stat().st_dev for folder in self._in_memory if folder.exists()}
        nameless = {(s.st_dev, s.st_ino): s.st_blocks * 512 for s in nameless_files(processes, in_memory=False)}
        used += sum(size for (device, _), size in nameless.items() if device not in memory)
        added = used - self._before
        unseen = min(_taken(self._workspace) - self._at_first, written(processes)) - max(added, 0)
        return disk_full(self._limit) if max(added, unseen) > self._allowance else ""

    def _due(self) -> bool:
        """Whether to go through the workspace: now and then, or when the disk it is on has filled since the last time."""
        now = time.monotonic()
        try:
            taken = _taken(self._workspace)
        except FileNotFoundError:
            return False
        # Somebody else may have made room.
        self._whole_disk, self._at_first = min(self._whole_disk, taken), min(self._at_first, taken)
        if taken - self._whole_disk <= self._worth_a_look and now - self._looked < _LOOK_ANYWAY:
            return False
        self._looked, self._whole_disk = now, taken
        return True


def disk_full(limit: int) -> str:
    """What is said when the code wrote too much.

    Args:
        limit: In bytes.
    """
    return (
        f"Disk full: the code wrote more than the {in_words(limit)} that its sandbox allows, so its kernel was killed."
    )


def out_of_memory(limit: int) -> str:
    """What is said when all processes together held too much memory.

    Args:
        limit: In bytes.
    """
    return f"Out of memory: the code used more than the {in_words(limit)} that its sandbox allows, so its kernel was killed."


class DiskUse(NamedTuple):
    """What is in a directory.

    Attributes:
        used: Bytes that all of it takes.
        largest: The size of the largest file.
    """

    used: int
    largest: int


def disk_use(top: Path) -> DiskUse:
    """What a directory and what is in it take.

    Args:
        top: The directory.

    Raises:
        TooDeep: There is no end of levels.
    """
    used = largest = 0
    seen: set[int] = set()
    for folder in folders(top):
        for entry in folder.entries:
            with contextlib.suppress(OSError):  # gone meanwhile
                status = entry.stat(follow_symlinks=False)
                if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                    if status.st_ino in seen:
                        continue
                    seen.add(status.st_ino)
                used += max(status.st_blocks * 512, _SMALLEST)
                largest = max(largest, status.st_size)
    return DiskUse(used, largest)


def _processes(roots: Sequence[int]) -> Iterator[int]:
    """Some processes and all that descend from them."""
    waiting = list(roots)
    while waiting:
        process = waiting.pop()
        yield process
        with contextlib.suppress(OSError):  # ended meanwhile
            for thread in Path(f"/proc/{process}/task").iterdir():
                waiting += map(int, (thread / "children").read_bytes().split())


def _processor_time(processes: Sequence[int]) -> int:
    """The clock ticks that processes, and those of their children that have ended, have run."""
    ticks = 0
    for process in processes:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks


def _memory(process: int) -> tuple[int, int]:
    """The bytes a process has of its own, swapped ones included, and its part of those it shares by memory files."""
    private = shared = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_bytes().splitlines()[1:]:
            name, kilobytes = line.split()[:2]
            if name in (b"Pss_Anon:", b"SwapPss:"):
                private += int(kilobytes) * 1024
            elif name == b"Pss_Shmem:":
                shared += int(kilobytes) * 1024
    return private, shared


def _taken(folder: Path) -> int:
    """The bytes that everything on the disk of a folder takes, however many files those are."""
    use = os.statvfs(folder)
    return (use.f_blocks - use.f_bfree) * use.f_frsize + (use.f_files - use.f_ffree) * _SMALLEST


def _held_by(folder: Path) -> int:
    """The bytes that a file system in memory takes."""
    try:
        use = os.statvfs(folder)
    except OSError:
        return 0
    return (use.f_blocks - use.f_bfree) * use.f_frsize + (use.f_files - use.f_ffree) * _INODE
