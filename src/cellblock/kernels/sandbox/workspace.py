"""Files into and out of a workspace that untrusted code writes to, also while it does.

A path is opened a step at a time below the open workspace, and no step may be a symbolic link: whatever the code puts there,
and whenever, nothing outside is read or written. Only regular files with one name are read: no pipe that would block, no
device, no second name of a file elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError
from cellblock.kernels.sandbox.sizes import in_words
from cellblock.kernels.sandbox.tree import TooDeep, folders, open_top

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Workspace"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 2**20
_MOST = 2**30


class Workspace:
    """A sandbox's workspace, seen from the host.

    Names are relative to it, with slashes, as in "results/table.csv".

    Args:
        folder: The host's directory.

    Raises:
        ConfigError: It is no directory.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        if not Path(folder).is_dir():
            raise ConfigError(f"A workspace must be an existing directory, and {folder} is none. Create it first.")
        self.folder = Path(folder).resolve()  # a link given by the caller is followed, now and not later

    def names(self) -> list[str]:
        """The names of the regular files there, sorted. They are the code's choice: do not print them as they are.

        Raises:
            ConfigError: The code has nested its directories without end.
        """
        try:
            return sorted(
                str(folder.path / entry.name)
                for folder in folders(self.folder)
                for entry in folder.entries
                if entry.is_file(follow_symlinks=False)
            )
        except TooDeep:
            raise ConfigError(f"The directories in {self.folder} are nested too deep to be listed.") from None

    def read(self, name: str, *, most: int = _MOST) -> bytes:
        """The content of a file.

        Args:
            name: Of the file.
            most: Bytes it may have.

        Raises:
            ConfigError: There is no such regular file, or it is larger.
        """
        with self._opened(name, most) as descriptor:
            return b"".join(_chunks(descriptor, most, name))

    def download(self, name: str, to: str | os.PathLike[str], *, most: int = _MOST) -> Path:
        """Copies a file to the host.

        Args:
            name: Of the file.
            to: The file to make; it must not be there yet.
            most: Bytes it may have.

        Returns:
            The path of the copy.

        Raises:
            ConfigError: There is no such regular file, it is larger, or the copy is there already.
        """
        target = Path(to)
        with self._opened(name, most) as descriptor:
            try:
                copy = target.open("xb")
            except FileExistsError:
                raise ConfigError(f"{target} is there already. Give the name of a file to be made.") from None
            try:
                with copy:
                    copy.writelines(_chunks(descriptor, most, name))
            except BaseException:
                target.unlink()
                raise
        return target

    def upload(self, content: bytes | str | os.PathLike[str], name: str) -> None:
        """Puts a file into the workspace, in place of what has its name.

        Args:
            content: Its bytes, or the path of a file of the host.
            name: Of the file in the workspace; directories on the way are made.

        Raises:
            ConfigError: The name leads elsewhere, or through something that is no directory.
        """
        data = content if isinstance(content, bytes) else Path(content).read_bytes()
        *way, last = _parts(name)
        with self._folder(way, make=True) as folder:
            temporary = f".upload-{secrets.token_hex(8)}"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                _give_as(folder, descriptor)
            try:
                os.rename(temporary, last, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError as error:
                os.unlink(temporary, dir_fd=folder)
                raise ConfigError(f"{name} cannot be written in the workspace: {error.strerror}.") from None

    @contextlib.contextmanager
    def _opened(self, name: str, most: int) -> Iterator[int]:
        """A descriptor of a regular file, to be read."""
        *way, last = _parts(name)
        with self._folder(way) as folder:
            try:
                # Without O_NONBLOCK a pipe would be waited for.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(last, flags, dir_fd=folder)
            except OSError as error:
                raise _no_file(name, error.strerror or "it cannot be opened") from None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _no_file(name, "it is no regular file")
            if status.st_nlink != 1:
                raise _no_file(name, "it has more than one name")
            if status.st_size > most:
                raise _too_large(name, most)
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _folder(self, way: list[str], *, make: bool = False) -> Iterator[int]:
        """A descriptor of a directory below the workspace."""
        folder = open_top(self.folder)
        try:
            for part in way:
                inner = _enter(part, folder, "/".join(way), make=make)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)


def _enter(part: str, folder: int, name: str, *, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, 0o755, dir_fd=folder)
    try:
        inner = os.open(part, _FOLDER, dir_fd=folder)
    except OSError as error:
        raise ConfigError(f"{name} is no directory of the workspace: {error.strerror}.") from None
    if make:
        _give_as(folder, inner)
    return inner


def _parts(name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise ConfigError(f'A file of the workspace is named from there, as in "results/table.csv", and not {name!r}.')
    return parts


def _give_as(folder: int, descriptor: int) -> None:
    """Makes the owner of a folder the owner of what was made in it: root's files would be of no use to the code."""
    owner = os.fstat(folder)
    if os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _chunks(descriptor: int, most: int, name: str) -> Iterator[bytes]:
    """The content of a file that may be growing, up to a size."""
    size = 0
    while chunk := os.read(descriptor, _CHUNK):
        size += len(chunk)
        if size > most:
            raise _too_large(name, most)
        yield chunk


def _no_file(name: str, why: str) -> ConfigError:
    return ConfigError(f"{name!r} cannot be read from the workspace: {why}.")


def _too_large(name: str, most: int) -> ConfigError:
    return ConfigError(f"{name!r} in the workspace is larger than {in_words(most)}. Allow more with most=.")
