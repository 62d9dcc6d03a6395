"""The executed notebook of a document, written while the document runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellblock._core.notebook_cells import code_cell, text_cell
from cellblock.notebook.documents import Block, Document, TextCell
from cellblock.notebook_file import NotebookFile

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from cellblock._core.results import CellResult

__all__ = ["ExecutedNotebook"]


class ExecutedNotebook:
    """A notebook of a document's cells and what its blocks came to.

    It takes the place of a file that is there when the first block is recorded, and is whole at every moment after.

    Args:
        path: Where it is written.
        document: The document that runs.
        metadata: What it says of the kernel that runs the document (see ``notebook_metadata``). The document's own metadata
            stays, and with its own kernel also what it says of that.

    Raises:
        ConfigError: Nothing can be written there.
    """

    def __init__(self, path: str | os.PathLike[str], document: Document, metadata: Mapping[str, Any]) -> None:
        own_kernel = document.kernel_name == metadata.get("kernelspec", {}).get("name")
        own = document.metadata
        self._file = NotebookFile(path, {**metadata, **own} if own_kernel else {**own, **metadata}, fresh=True)
        self._waiting = list(document.cells)

    def record(self, block: Block, result: CellResult) -> None:
        """Writes a block, and the text that stands before it.

        Args:
            block: The next block of the document, or a later one; those between are written as not run.
            result: What it came to.

        Raises:
            ConfigError: The file cannot be written; the message says why.
        """
        position = self._waiting.index(block)
        before, self._waiting = self._waiting[:position], self._waiting[position + 1 :]
        self._file.append(*map(_unrun, before), _cell(block, result))

    def finish(self) -> None:
        """Writes what is left of the document, blocks as not run.

        Raises:
            ConfigError: The file cannot be written; the message says why.
        """
        cells, self._waiting = self._waiting, []
        self._file.append(*map(_unrun, cells))


def _cell(block: Block, result: CellResult | None) -> dict[str, Any]:
    source = block.code if block.cell_source is None else block.cell_source
    language = "" if source == block.code else block.language
    return code_cell(source, result, cell_id=block.cell_id, language=language, metadata=block.metadata)


def _unrun(cell: TextCell | Block) -> dict[str, Any]:
    if isinstance(cell, Block):
        return _cell(cell, None)
    if cell.kind == "code":
        return code_cell(cell.source, None, cell_id=cell.cell_id, metadata=cell.metadata)
    return text_cell(
        cell.source, cell_id=cell.cell_id, kind=cell.kind, metadata=cell.metadata, attachments=cell.attachments
    )
