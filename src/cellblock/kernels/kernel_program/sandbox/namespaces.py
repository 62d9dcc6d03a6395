"""Entering the namespaces of another process. Source: setns(2), namespaces(7)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from lockdown import Refused

PID, USER = 0x20000000, 0x10000000
_PARTED = {"mnt": 0x00020000, "uts": 0x04000000, "ipc": 0x08000000, "pid": PID, "net": 0x40000000}
_PERHAPS_PARTED = {"user": USER, "cgroup": 0x02000000}
"""Root's sandboxes have no user namespace, and old kernels no cgroup namespaces."""

_libc = ctypes.CDLL(None, use_errno=True)


def parted(first: int) -> int:
    """The namespaces of a process that are not this one's, as flags of clone(2).

    Args:
        first: Its process id, as this process sees it.

    Raises:
        Refused: It shares with this process what it must not share.
    """
    shared = [name for name in (*_PARTED, *_PERHAPS_PARTED) if _is_own(first, name)]
    left = [name for name in shared if name in _PARTED]
    if left:
        raise Refused(f"The sandbox would have the host's namespaces ({', '.join(left)}).")
    return sum(flag for name, flag in {**_PARTED, **_PERHAPS_PARTED}.items() if name not in shared)


def join(pidfd: int, flags: int) -> None:
    """Enters namespaces of a process; the one of process ids is that of the next child. For one thread only.

    Args:
        pidfd: A descriptor of the process.
        flags: Which.

    Raises:
        OSError: The system forbids it.
    """
    if flags and _libc.setns(pidfd, flags) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"The namespaces of the sandbox cannot be entered: {os.strerror(error)}")


def _is_own(pid: int, name: str) -> bool:
    theirs, ours = (Path(f"/proc/{process}/ns/{name}").stat() for process in (pid, "self"))
    return theirs.st_ino == ours.st_ino
