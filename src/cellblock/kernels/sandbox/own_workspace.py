"""A workspace that is made for one session and removed with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path

from cellblock.kernels.process import let_go_in_children
from cellblock.kernels.sandbox import tree
from cellblock.kernels.sandbox.users import is_sandbox_user

__all__ = ["OwnWorkspace"]

_PREFIX = "cellblock-workspace-"


class OwnWorkspace:
    """A fresh directory among the temporary files. Whose owners were killed are removed first.

    Attributes:
        folder: The directory.
    """

    def __init__(self) -> None:
        _sweep()
        self.folder, lock = _made()
        self._lock: int | None = lock
        let_go_in_children(self)

    def remove(self) -> None:
        """Removes it with all that is in it. May be called more than once."""
        lock, self._lock = self._lock, None
        if lock is not None:
            tree.remove(self.folder)
            os.close(lock)

    def let_go(self) -> None:
        """In a forked child: leaves the directory to the owner."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def __del__(self) -> None:
        self.let_go()


def _made() -> tuple[Path, int]:
    """A fresh directory and a lock on it.

    A lock ends with whoever holds it, however that ended: an unlocked workspace is nobody's any more.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)  # somebody swept it away before it was locked


def _sweep() -> None:
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another owner's, gone meanwhile, or in use
            owner = left.stat(follow_symlinks=False).st_uid
            if owner == os.getuid() or (os.getuid() == 0 and is_sandbox_user(owner)):
                _remove_unless_locked(left)


def _remove_unless_locked(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        tree.remove(folder)
    finally:
        os.close(lock)
