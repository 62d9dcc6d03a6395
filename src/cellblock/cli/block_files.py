"""The files that the blocks of a document make, under names that say which block made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock.errors import ConfigError
from cellblock.notebook_file import replacing

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BlockFiles", "make_directory"]


class BlockFiles:
    """Saves what one block showed as ``block-03-1.png``, ``block-03-2.html``, and so on.

    Args:
        directory: An existing directory; files of an earlier run are replaced.
        number: The block's number.
    """

    def __init__(self, directory: Path, number: int) -> None:
        self._directory, self._number = directory, number
        self._count = 0

    def save(self, data: bytes, extension: str) -> str:
        """Writes a file and gives its absolute path.

        Args:
            data: The content.
            extension: The end of the name, with its dot.

        Raises:
            OSError: It could not be written.
        """
        self._count += 1
        path = self._directory / f"block-{self._number:02}-{self._count}{extension}"
        with replacing(path) as file:
            file.write(data)
        return str(path)


def make_directory(path: Path) -> None:
    """Makes a directory and those above it, if they are not there.

    Args:
        path: The directory.

    Raises:
        ConfigError: It cannot be a directory.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"The output directory {path} cannot be made: a file is in its place.") from None
    except OSError as error:
        raise ConfigError(f"The output directory {path} cannot be made: {error.strerror or error}.") from error
