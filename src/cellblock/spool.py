"""The file that keeps the whole of an output too large for memory."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import IO

__all__ = ["FileSpool"]


class FileSpool:
    """A text file, made when the first text comes.

    Args:
        folder: Where it is made; the system's folder for temporary files if not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._file: IO[str] | None = None
        self._finished = False
        self.failure = ""

    @property
    def location(self) -> str:
        """The file's absolute path; empty if it could not be written."""
        return self._file.name if self._file is not None and not self.failure else ""

    def write(self, text: str) -> None:
        """Appends text. A full disk does not raise: ``failure`` says so and ``location`` becomes empty.

        What comes after ``finish`` is not taken.
        """
        if self.failure or self._finished:
            return
        try:
            if self._file is None:
                # The reader gets the path, so the file outlives this object.
                self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115
                    "w",
                    encoding="utf-8",
                    errors="replace",
                    prefix="cellblock-output-",
                    suffix=".txt",
                    dir=self._folder,
                    delete=False,
                )
            self._file.write(text)
        except OSError as error:
            self._fail(error)

    def finish(self) -> None:
        """Closes the file; it stays where it is. As with ``write``, a full disk does not raise."""
        self._finished = True
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:  # what it had not written yet
            self._fail(error)

    def discard(self) -> None:
        """Removes the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            Path(self._file.name).unlink(missing_ok=True)

    def _fail(self, error: OSError) -> None:
        self.failure = f"The whole output could not be kept in a file: {error}."
        self.discard()
