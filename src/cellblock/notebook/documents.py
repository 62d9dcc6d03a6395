"""Documents: cells of text and blocks of code, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Block", "Document", "TextCell"]

_TITLE = 100  # characters of a block's title


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCell:
    """A cell that is not run.

    Attributes:
        source: Its text.
        cell_id: Its id, unique in the document.
        kind: "code" is a code cell that its author keeps from running.
        metadata: As in the notebook it came from.
        attachments: The images of a notebook's Markdown cell.
    """

    source: str
    cell_id: str
    kind: Literal["markdown", "raw", "code"] = "markdown"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attachments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code that is run.

    Attributes:
        number: 1 for the first of the document.
        code: The code as its author wrote it.
        source: The code as the kernel gets it.
        cell_source: The code as a cell of a notebook has it; None if that is as its author wrote it.
        language: The language it is written in.
        cell_id: Its id, unique in the document.
        line: The line of its fence in a Markdown file; 0 in a notebook.
        may_fail: Its author says that it raises; the document goes on after it.
        metadata: As in the notebook it came from.
    """

    number: int
    code: str
    source: str
    language: str
    cell_id: str
    cell_source: str | None = None
    line: int = 0
    may_fail: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The first line that says something, or its beginning if it is long."""
        line = next((line.strip() for line in self.code.splitlines() if line.strip()), "")
        return line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…"


@dataclass(frozen=True, slots=True)
class Document:
    """What ``run_document`` runs.

    Attributes:
        name: The file's name, or "stdin".
        directory: Where the file is, and where its blocks expect to run.
        cells: Text and code, in order.
        kernel_name: The kernelspec that a notebook wants; None if it does not say.
        metadata: What a notebook says of itself.
    """

    name: str
    directory: Path
    cells: tuple[TextCell | Block, ...]
    kernel_name: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The name without its extension, for what is made from it."""
        return Path(self.name).stem

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of code, in order."""
        return tuple(cell for cell in self.cells if isinstance(cell, Block))
