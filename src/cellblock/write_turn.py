"""Turns at writing a file that several writers replace: the threads of this process, and other processes of ours.

Processes take turns by a lock on the file itself, so that none is left beside it. A file that is replaced is another one
afterwards, and whoever waited for the old one's lock asks for the new one's. Where a system or a file system has no such
locks, only the threads of one process take turns.

Source: flock(2).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["WriteTurn"]


class _Lock:
    """A lock that can be weakly referred to."""

    def __init__(self) -> None:
        self.held = threading.Lock()


_LOCKS: weakref.WeakValueDictionary[Path, _Lock] = weakref.WeakValueDictionary()
_LOCKS_CHANGE = threading.Lock()


class WriteTurn:
    """One writer's turns at a file. Writers of one path, whoever made them, never have their turns at once.

    Args:
        path: The file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _LOCKS_CHANGE:
            self._lock = _LOCKS.setdefault(path.resolve(), _Lock())

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Waits for the turn, which lasts until the block ends.

        Of a file that is not there, processes have no turns: whoever makes it must see that nobody else does.
        """
        with self._lock.held, _locked(self._path):
            yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock that other processes ask for, if there is a file to lock and a way to."""
    with contextlib.ExitStack() as held:
        while sys.platform != "win32":
            import fcntl

            try:
                file = held.enter_context(path.open("rb"))
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    break
            except OSError:  # no file, none that can be read, or no locks; what is wrong, the write will say
                break
            held.close()  # it was replaced meanwhile
        yield
