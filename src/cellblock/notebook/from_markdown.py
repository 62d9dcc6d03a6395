"""The cells of a Markdown file: the blocks that run, and the text between them."""

from __future__ import annotations

import re
import textwrap
from itertools import count
from typing import TYPE_CHECKING

from cellblock._core.markdown import FencedBlock, extract_blocks
from cellblock.block_cells import notebook_source, to_cell
from cellblock.errors import ConfigError
from cellblock.notebook.documents import Block, TextCell

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cells_of_markdown"]

_FRONT_MATTER = re.compile(r"---[ \t]*\n.*?^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


def cells_of_markdown(text: str, name: str, kernel_language: str) -> Iterator[TextCell | Block]:
    """Reads Markdown.

    YAML front matter becomes a raw cell, as Jupyter keeps it. Fences that do not run stay in the text.

    Args:
        text: The file's content.
        name: What messages call it.
        kernel_language: The language of the kernel that is to run it.

    Raises:
        ConfigError: A block that would run is cut off by the end of the file.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    ids = (f"text-{number}" for number in count(1))
    at = 0
    if front_matter := _FRONT_MATTER.match(text):
        at = front_matter[0].rstrip("\n").count("\n") + 1
        yield TextCell(source="\n".join(lines[:at]), cell_id=next(ids), kind="raw")
        lines[:at] = [""] * at  # so that the fences' line numbers stay those of the file
    number = 0
    dedent = False
    for fence in extract_blocks("\n".join(lines)):
        source = _source(fence, kernel_language)
        if source is None:
            continue
        if not fence.closed:
            raise ConfigError(f"The code block in line {fence.line} of {name} is never closed; end it with a fence.")
        yield from _text_cell(lines[at : fence.line - 1], ids, dedent)
        number += 1
        yield Block(
            number=number,
            code=fence.code,
            source=source,
            language=fence.language,
            cell_source=notebook_source(fence.code, fence.language, kernel_language),
            cell_id=f"block-{number}",
            line=fence.line,
            may_fail="raises-exception" in fence.classes,
        )
        at, dedent = fence.end_line, fence.nested
    yield from _text_cell(lines[at:], ids, dedent)


def _source(fence: FencedBlock, kernel_language: str) -> str | None:
    """What the kernel gets for a fence; None if the fence does not run."""
    if not fence.language or fence.classes & {"noeval", "skip-execution"}:
        return None
    try:
        return to_cell(fence.code, fence.language, kernel_language)
    except ConfigError:  # a language nobody here runs: text for its reader
        return None


def _text_cell(lines: list[str], ids: Iterator[str], dedent: bool) -> Iterator[TextCell]:
    """A text cell, or none if there is nothing in it.

    What follows a block in a list is indented as the list item is, and would be shown as code in a cell of its own.
    """
    text = "\n".join(lines).strip("\n")
    if text.strip():
        yield TextCell(source=textwrap.dedent(text) if dedent else text, cell_id=next(ids))
