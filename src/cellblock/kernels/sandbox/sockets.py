"""Sockets and pipes among the files a sandbox sees: mounted read-only, they can still be connected and written to.

Whoever listens there is outside. So what is found of them is hidden in the sandbox.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import stat
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.kernels.sandbox.tree import TooDeep, folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

__all__ = ["Identity", "doors_below", "listened_on", "sockets_in", "still_doors"]

_MOST = 50_000  # files that are looked at, which takes a fifth of a second
_LISTED = Path("/proc/net/unix")  # the sockets of this network namespace, by the paths they were bound to

Identity = tuple[int, int]
"""A device and the number of a file on it."""


def doors_below(top: Path) -> tuple[Path, ...]:
    """The sockets and pipes in a folder of the host, nearest ones first; of a huge one not all of it is looked at.

    Args:
        top: A file or folder, without a symbolic link on the way.
    """
    found: list[Path] = []
    waiting = deque([top] if top.is_dir() else [])
    left = _MOST
    while waiting and left > 0:
        with contextlib.suppress(OSError), os.scandir(waiting.popleft()) as entries:  # not ours to read, nor the code's
            for entry in itertools.islice(entries, left):
                left -= 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry))
                elif _is_special(entry):
                    found.append(Path(entry))
    return still_doors(found)


def still_doors(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Those of some paths at which there is a socket or a pipe now.

    Args:
        paths: Of the host.
    """
    return tuple(path for path in paths if (mode := _mode(path)) and (stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)))


def listened_on(roots: Iterable[Path]) -> tuple[Path, ...]:
    """The sockets in folders of the host that somebody here has bound, also after ``doors_below`` looked.

    Args:
        roots: The folders, without a symbolic link on the way.
    """
    try:
        lines = _LISTED.read_text("utf-8", "replace").splitlines()[1:]
    except OSError:
        return ()
    within = tuple(f"{root}/" for root in roots)
    bound = {path for line in lines if (path := line.partition(" /")[2])}
    found = []
    for folder, _, name in (path.rpartition("/") for path in bound):
        path = f"{_real(f'/{folder}')}/{name}"
        if path.startswith(within):
            found.append(Path(path))
    return still_doors(found)


@functools.lru_cache(maxsize=1024)
def _real(folder: str) -> str:
    """A folder without a symbolic link on the way; these hardly ever change."""
    return os.path.realpath(folder)


def sockets_in(workspace: Path, known: AbstractSet[Identity], owner: int | None) -> Iterator[tuple[Path, Identity]]:
    """The sockets in a workspace that nobody has made inside of it.

    Args:
        workspace: The host's directory.
        known: Those that were there before code ran.
        owner: Of what is made inside; None to give all sockets there are.
    """
    with contextlib.suppress(TooDeep):  # which a disk check tells
        for folder in folders(workspace):
            for entry in filter(_is_special, folder.entries):
                with contextlib.suppress(OSError):  # gone meanwhile
                    status = entry.stat(follow_symlinks=False)
                    identity = status.st_dev, status.st_ino
                    if stat.S_ISSOCK(status.st_mode) and (identity in known or status.st_uid != owner):
                        yield workspace / folder.path / entry.name, identity


def _is_special(entry: os.DirEntry[str]) -> bool:
    """Whether it is none of the usual things; a listing tells that without a look at each."""
    return not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False) or entry.is_symlink())


def _mode(path: Path) -> int:
    try:
        return path.stat(follow_symlinks=False).st_mode
    except OSError:
        return 0
