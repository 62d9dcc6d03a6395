"""A notebook on disk that grows a cell at a time and is whole at every moment.

Rules of this file:

1. A file is only ever replaced by a finished one (written beside it, flushed to disk, renamed over it), so that no
   reader and no crash sees half of it.
2. ``cells`` is the last key of the notebook. Adding a cell copies the file up to there, which the operating system
   does, and writes the new cell and the end; nothing that is there already is parsed or made again.
3. A file that somebody else changed in between (a person saved it in JupyterLab, another writer of ours added to it) is
   read again, never overwritten.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cellblock._core.notebook_cells import NBFORMAT, NBFORMAT_MINOR
from cellblock.errors import ConfigError
from cellblock.write_turn import WriteTurn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["NotebookFile", "replacing"]

_HEAD = '{\n "metadata": %s,\n "nbformat": %d,\n "nbformat_minor": %d,\n "cells": ['
_TAIL = b"\n ]\n}\n"


@contextmanager
def replacing(path: Path, *, copy: bool = False, new: bool = False) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of ``path`` when it is finished, or never if writing fails.

    Args:
        path: What is replaced or made; its directory must exist. Of a symbolic link, its target.
        copy: Start with a copy of what is there, to be changed.
        new: Replace nothing.

    Raises:
        FileExistsError: ``new`` is given, and a file is there by the time that this one is finished.
    """
    path = path.resolve()
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        if copy:
            shutil.copyfile(path, unfinished)
        with unfinished.open("r+b" if copy else "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if new and _linked(unfinished, path):
            return
        if path.exists():
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _linked(unfinished: Path, path: Path) -> bool:
    """Gives a finished file its name, which nobody may have taken; False where the file system has no such way."""
    try:
        path.hardlink_to(unfinished)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True


class NotebookFile:
    """A notebook that cells are added to. Made or rewritten by the first cell added, not before.

    Several threads and processes may add to one file, each with a ``NotebookFile`` of its own or all with one.

    Args:
        path: Where it is.
        metadata: The notebook's metadata (see ``notebook_metadata``), for a file that is not there yet.
        fresh: Take the place of a file that is there, instead of adding to it.

    Raises:
        ConfigError: The path cannot be a notebook, or a file is there that is none and would be added to.
    """

    def __init__(self, path: str | os.PathLike[str], metadata: Mapping[str, Any], *, fresh: bool = False) -> None:
        self.path = Path(path).absolute()
        self._metadata = dict(metadata)
        self._written: _Written | None = None
        self._fresh = fresh
        self._turn = WriteTurn(self.path)
        if self.path.is_dir():
            raise ConfigError(f"The notebook cannot be written to {self.path}: it is a directory.")
        if not self.path.parent.is_dir():
            raise ConfigError(f"The notebook cannot be written to {self.path}: its directory does not exist.")
        if not fresh and self.path.exists():
            self._read()

    def append(self, *cells: Mapping[str, Any]) -> None:
        """Adds cells and writes the file.

        Args:
            cells: As ``code_cell`` and ``text_cell`` make them.

        Raises:
            ConfigError: The file or the cells cannot be written, or somebody made something else of the file.
        """
        try:
            while not self._added(cells):
                pass  # another process made the file first
        except OSError as error:
            raise ConfigError(f"The notebook {self.path} cannot be written: {error.strerror or error}.") from error
        except RecursionError:
            raise ConfigError(
                f"The notebook {self.path} cannot be written: something in it is nested too deeply for JSON."
            ) from None

    def _added(self, cells: Sequence[Mapping[str, Any]]) -> bool:
        with self._turn.taken():
            if self._fresh:
                self._write(cells)
                self._fresh = False
            elif self._written and self._written.stamp == _stamp_of(self.path):
                self._extend(self._written, cells)
            elif self.path.exists():
                self._write([*self._read(), *cells])
            else:
                try:
                    self._write(cells, new=True)
                except FileExistsError:
                    return False
        return True

    def _extend(self, written: _Written, cells: Iterable[Mapping[str, Any]]) -> None:
        with replacing(self.path, copy=True) as file:
            file.seek(written.end)
            file.truncate()
            self._finish(file, _write_cells(file, cells, first=written.empty), empty=False)

    def _write(self, cells: Iterable[Mapping[str, Any]], *, new: bool = False) -> None:
        with replacing(self.path, new=new) as file:
            file.write((_HEAD % (_encode(self._metadata, 1).decode(), NBFORMAT, NBFORMAT_MINOR)).encode())
            start = file.tell()
            end = _write_cells(file, cells, first=True)
            self._finish(file, end, empty=end == start)

    def _finish(self, file: IO[bytes], end: int, *, empty: bool) -> None:
        """Remembers the file that was written, before it has its name and somebody else could replace it."""
        file.flush()
        self._written = _Written(_stamp(os.fstat(file.fileno())), end, empty=empty)

    def _read(self) -> list[Mapping[str, Any]]:
        """The cells of the file that is there; takes over its metadata."""
        try:
            notebook = json.loads(self.path.read_bytes())
            version = (int(notebook["nbformat"]), int(notebook["nbformat_minor"]))
            cells, metadata = list(notebook["cells"]), dict(notebook["metadata"])
        except OSError as error:
            raise ConfigError(f"The notebook {self.path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ConfigError(
                f"{self.path} is not a notebook that cells can be added to; choose another path."
            ) from error
        if version < (4, 5) or version[0] > NBFORMAT:
            raise ConfigError(
                f"{self.path} has notebook format {version[0]}.{version[1]}, and cells can be added to 4.5 and later "
                "versions of 4 only. Open and save it in Jupyter, or choose another path."
            )
        self._metadata = metadata
        return cells


@dataclass(frozen=True, slots=True)
class _Written:
    """The file as we left it: what tells whether it is still that, and where its last cell ends."""

    stamp: tuple[int, ...]
    end: int
    empty: bool


def _write_cells(file: IO[bytes], cells: Iterable[Mapping[str, Any]], *, first: bool) -> int:
    """Writes cells and the end of the notebook, and gives where the last cell ends."""
    for cell in cells:
        file.write((b"\n  " if first else b",\n  ") + _encode(cell, 2))
        first = False
    end = file.tell()
    file.write(_TAIL)
    return end


def _stamp_of(path: Path) -> tuple[int, ...] | None:
    try:
        return _stamp(path.stat())
    except FileNotFoundError:
        return None


def _stamp(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _encode(value: Any, indent: int) -> bytes:
    """Indented JSON that any reader takes: a lone surrogate, which UTF-8 has no form for, becomes a question mark."""
    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
    return text.replace("\n", "\n" + " " * indent).encode("utf-8", errors="replace")
