"""Going through directories that untrusted code has filled, or is filling now.

Everything is opened below an open directory and no symbolic link is followed, so nothing outside is ever touched.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DEEPEST", "Folder", "TooDeep", "folders", "let_owner_in", "open_top", "prune", "remove"]

DEEPEST = 128
"""Levels of directories that are gone into; each costs a descriptor."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TooDeep(Exception):
    """Directories are nested deeper than anybody goes."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory that is being gone through.

    Attributes:
        path: Below the top one; "." for that itself.
        descriptor: Open until the next step.
        entries: All that is in it.
    """

    path: PurePosixPath
    descriptor: int
    entries: list[os.DirEntry[str]]


def folders(top: Path) -> Iterator[Folder]:
    """Each directory from a top one down.

    What vanishes or is closed to us meanwhile is left out.

    Args:
        top: A directory.

    Raises:
        TooDeep: There is no end of levels.
        OSError: The top directory cannot be opened.
    """
    yield from _below(open_top(top), PurePosixPath())


def open_top(top: Path) -> int:
    """A descriptor of a top directory, also if code has closed it to its own owner.

    Args:
        top: The directory.

    Raises:
        OSError: It cannot be opened.
    """
    try:
        return os.open(top, _DIRECTORY)
    except PermissionError:
        let_owner_in(top)
        return os.open(top, _DIRECTORY)


def let_owner_in(top: Path) -> None:
    """Lets the owner of a top directory list it, enter it and write to it.

    Args:
        top: The directory.

    Raises:
        OSError: It is not ours to change.
    """
    found = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _permit(found, 0o700)
    finally:
        os.close(found)


def _permit(found: int, rights: int) -> None:
    """Adds rights to a directory, by its descriptor and not by its name, which may be another thing's by now."""
    mode = stat.S_IMODE(os.fstat(found).st_mode)
    if mode & rights != rights:
        Path(f"/proc/self/fd/{found}").chmod(mode | rights)


def _below(descriptor: int, path: PurePosixPath) -> Iterator[Folder]:
    try:
        if len(path.parts) >= DEEPEST:
            raise TooDeep
        with os.scandir(descriptor) as found:
            entries = list(found)
        yield Folder(path, descriptor, entries)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and (inner := _opened(entry.name, descriptor)) is not None:
                yield from _below(inner, path / entry.name)
    finally:
        os.close(descriptor)


def _opened(name: str, folder: int) -> int | None:
    """A descriptor of a directory. One that is closed to its own owner is opened again: nothing can be hidden in it."""
    try:
        return os.open(name, _DIRECTORY, dir_fd=folder)
    except PermissionError:
        pass
    except OSError:  # gone, or replaced by something else
        return None
    with contextlib.suppress(OSError):
        found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            _permit(found, 0o500)
            return os.open(".", _DIRECTORY, dir_fd=found)
        finally:
            os.close(found)
    return None


def prune(top: Path) -> None:
    """Removes the directories that are nested deeper than anybody goes.

    Args:
        top: A directory that nobody changes any more.
    """
    for folder in folders(top):
        if len(folder.path.parts) == DEEPEST - 1:
            for entry in folder.entries:
                if entry.is_dir(follow_symlinks=False):
                    _remove(entry.name, folder.descriptor)


def remove(top: Path) -> None:
    """Removes a directory that nobody changes any more, however deep it is and whatever rights its parts have.

    Args:
        top: The directory.
    """
    parent = os.open(top.parent, _DIRECTORY)
    try:
        _remove(top.name, parent)
    finally:
        os.close(parent)


def _remove(name: str, parent: int) -> None:
    os.chmod(name, 0o700, dir_fd=parent)
    folder = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        numbers = itertools.count()
        while _flatten(folder, numbers):
            pass
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)


def _flatten(top: int, numbers: Iterator[int]) -> bool:
    """Removes what has nothing in it, and moves what is in the other directories to the top. Tells if there was anything."""
    names = os.listdir(top)
    for name in names:
        if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=top)
            continue
        os.chmod(name, 0o700, dir_fd=top)
        inner = os.open(name, _DIRECTORY, dir_fd=top)
        try:
            _empty(inner, top, numbers)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=top)
    return bool(names)


def _empty(folder: int, top: int, numbers: Iterator[int]) -> None:
    for name in os.listdir(folder):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.chmod(name, 0o700, dir_fd=folder)  # to move a directory is to write to it
            os.rename(name, _free_name(top, numbers), src_dir_fd=folder, dst_dir_fd=top)
        else:
            os.unlink(name, dir_fd=folder)


def _free_name(folder: int, numbers: Iterator[int]) -> str:
    for number in numbers:
        name = f".moved-{number}"
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return name
    raise AssertionError("the numbers never end")
