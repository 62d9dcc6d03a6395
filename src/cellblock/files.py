"""Writing what cells showed to files in one directory."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    import os

__all__ = ["DirectorySink"]

_EXTENSION = re.compile(r"(\.[A-Za-z0-9_-]+)+")


class DirectorySink:
    """Saves each output as a file of its own in a directory, under a name nobody else chose.

    A file appears with its whole content or not at all.

    Args:
        output_dir: An existing directory; a relative one is taken from the working directory of this moment.

    Attributes:
        output_dir: The directory, as an absolute path.
    """

    def __init__(self, output_dir: str | os.PathLike[str]) -> None:
        self.output_dir = Path(output_dir).absolute()

    def save(self, data: bytes, extension: str) -> str:
        """Writes a file and gives its absolute path.

        Args:
            data: The content.
            extension: The end of the name, with its dot (".png", ".vl.json").

        Raises:
            ConfigError: The extension holds anything but dots, letters, digits, "_" and "-".
            OSError: The file cannot be written: no such directory, no permission, the disk is full.
        """
        if not _EXTENSION.fullmatch(extension):
            raise ConfigError(f'A file extension such as ".png" was wanted, not {extension!r}.')
        path = self.output_dir / f"{uuid.uuid4().hex}{extension}"
        unfinished = path.with_name(f".{path.name}.part")
        try:
            unfinished.write_bytes(data)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        return str(path)
