"""What is kept of a chat: the transcript, and an executed notebook with the talk between the cells."""

from __future__ import annotations

import itertools
import os
import secrets
from typing import TYPE_CHECKING, Self

from cellblock._core.markdown import extract_blocks
from cellblock._core.notebook_cells import code_cell, notebook_metadata, text_cell
from cellblock._core.results import CellStatus
from cellblock.cli.chat_decisions import decision_as_text
from cellblock.cli.chat_transcript import APPROVAL, RUNNER, TranscriptFile
from cellblock.errors import ConfigError
from cellblock.notebook_file import NotebookFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cellblock._core.results import CellResult
    from cellblock.cli.chat_decisions import Decision
    from cellblock.coding.base import CodeBlock

__all__ = ["ChatRecord"]


class ChatRecord:
    """Writes a chat down as it goes, to files of its own. Used with ``with``.

    The transcript and the notebook of an earlier chat stay: the new ones get the next number that is free for both.

    Args:
        directory: Where ``chat.md`` and ``chat.ipynb`` go, or ``chat-2.md`` and ``chat-2.ipynb``, and so on.
        kernel: The kernelspec's name.

    Raises:
        ConfigError: They cannot be written there.
    """

    def __init__(self, directory: Path, kernel: str) -> None:
        self.transcript, self.notebook = _new_files(directory)
        self._transcript = TranscriptFile(self.transcript)
        self._notebook = NotebookFile(self.notebook, notebook_metadata(kernel))

    def __enter__(self) -> Self:
        """This record."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves no empty file of a chat that did not begin."""
        if self.transcript.exists() and not self.transcript.stat().st_size:
            self.transcript.unlink()

    def add_message(self, speaker: str, text: str) -> None:
        """Adds what somebody said; the outcome of code is in the notebook's cells already.

        Raises:
            ConfigError: It cannot be written.
        """
        self._transcript.add(speaker, text)
        talk = _without_code(text).strip()
        if talk and speaker != RUNNER:
            self._notebook.append(text_cell(f"**{speaker}:** {talk}", cell_id=secrets.token_hex(4)))

    def add_decision(self, number: int, decision: Decision, language: str) -> None:
        """Adds what a person decided about a block, for a replay to do the same.

        Args:
            number: Which block of the message it is, from 1.
            decision: What was decided.
            language: The block's language.
        """
        self._transcript.add(APPROVAL, decision_as_text(number, decision, language))

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


def _new_files(directory: Path) -> tuple[Path, Path]:
    """A transcript, made so that no chat that begins at the same moment takes it too, and a notebook beside it."""
    for number in itertools.count(1):
        name = "chat" if number == 1 else f"chat-{number}"
        transcript, notebook = directory / f"{name}.md", directory / f"{name}.ipynb"
        if os.path.lexists(notebook):
            continue
        try:
            transcript.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigError(
                f"The transcript cannot be written to {transcript}: {error.strerror or error}."
            ) from error
        return transcript, notebook
    raise AssertionError("Numbers do not end.")
