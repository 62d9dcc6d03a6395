"""What is kept of a chat: the transcript, and an executed notebook with the talk between the cells."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cellblock._core.markdown import extract_blocks
from cellblock._core.notebook_cells import code_cell, notebook_metadata, text_cell
from cellblock._core.results import CellStatus
from cellblock.cli.chat_transcript import RUNNER, TranscriptFile
from cellblock.notebook_file import NotebookFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cellblock._core.results import CellResult
    from cellblock.coding.base import CodeBlock

__all__ = ["ChatRecord"]


class ChatRecord:
    """Writes a chat down as it goes.

    Args:
        directory: Where ``chat.md`` and ``chat.ipynb`` go.
        kernel: The kernelspec's name.

    Raises:
        ConfigError: The notebook cannot be written there.
    """

    def __init__(self, directory: Path, kernel: str) -> None:
        self.transcript = directory / "chat.md"
        self.notebook = directory / "chat.ipynb"
        self._transcript = TranscriptFile(self.transcript)
        self._notebook = NotebookFile(self.notebook, notebook_metadata(kernel), fresh=True)

    def add_message(self, speaker: str, text: str) -> None:
        """Adds what somebody said; the outcome of code is in the notebook's cells already.

        Raises:
            ConfigError: It cannot be written.
        """
        self._transcript.add(speaker, text)
        talk = _without_code(text).strip()
        if talk and speaker != RUNNER:
            self._notebook.append(text_cell(f"**{speaker}:** {talk}", cell_id=secrets.token_hex(4)))

    def add_cells(self, blocks: Sequence[CodeBlock], cells: Sequence[CellResult]) -> None:
        """Adds what was run and what it came to.

        Raises:
            ConfigError: It cannot be written.
        """
        for block, cell in zip(blocks, cells, strict=True):
            result = None if cell.status is CellStatus.NOT_RUN else cell
            self._notebook.append(code_cell(block.code, result, cell_id=secrets.token_hex(4), language=block.language))


def _without_code(text: str) -> str:
    """A message's Markdown without the blocks that become cells."""
    lines = text.split("\n")
    for block in reversed(extract_blocks(text)):
        if block.closed:
            del lines[block.line - 1 : block.end_line]
    return "\n".join(lines)
