"""The session journal: what was run, written as a notebook while it goes."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from cellblock._core.notebook_cells import code_cell, notebook_metadata
from cellblock.notebook_file import NotebookFile

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from cellblock._core.results import CellResult

__all__ = ["Journal"]


class Journal:
    """A notebook with every block that was run and what it came to, on disk as soon as the block is over.

    The file is whole at every moment, even if this process is killed. One that is there already is added to. May be
    used from several threads, and several journals may write one file.

    Args:
        path: The notebook, ``run.ipynb`` say; its directory must exist.
        metadata: The notebook's metadata if it is not there yet; by default that of the ``python3`` kernel.

    Raises:
        ConfigError: The path cannot be a notebook, or what is there is none.
    """

    def __init__(self, path: str | os.PathLike[str], *, metadata: Mapping[str, Any] | None = None) -> None:
        self._file = NotebookFile(path, metadata or notebook_metadata())

    def record(self, code: str, language: str, cell: CellResult) -> None:
        """Adds a block and what running it came to.

        Args:
            code: The code as a cell of the notebook has it, so that the notebook can be run again.
            language: The block's own language, kept in the cell's metadata.
            cell: Its result.

        Raises:
            ConfigError: The file cannot be written; the message says why.
        """
        entry = code_cell(code, cell, cell_id=secrets.token_hex(4), language=language)
        self._file.append(entry)
