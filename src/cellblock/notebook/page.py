"""An executed document as one HTML file that needs nothing else: no network, no script, no other file.

Made here and not by nbconvert, whose pages load MathJax and require.js from the network and run the outputs' scripts as
soon as they are opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from cellblock._core.results import CellResult, CellStatus
from cellblock._core.terminal import encodable
from cellblock.notebook.documents import Block, Document, TextCell
from cellblock.notebook.page_markup import highlighted, markdown_html
from cellblock.notebook.page_outputs import outputs_html

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

__all__ = ["PageFacts", "document_page"]

_OUTCOMES = {
    CellStatus.OK: "ok",
    CellStatus.ERROR: "failed",
    CellStatus.TIMEOUT: "timed out",
    CellStatus.INTERRUPTED: "interrupted",
    CellStatus.DIED: "kernel died",
    CellStatus.NOT_RUN: "not run",
}
_HEADING = re.compile(r"^#\s+(.+?)\s*#*\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the head of the page says beside the document.

    Attributes:
        kernel: The kernel's name for people.
        when: When the document was run.
        duration: Seconds it took.
    """

    kernel: str
    when: datetime
    duration: float


def document_page(document: Document, results: Mapping[int, CellResult], facts: PageFacts) -> str:
    """The page.

    Args:
        document: What was run.
        results: What its blocks came to, by their numbers; a block without one was not run.
        facts: For the page's head.
    """
    body = "\n".join(_cells(document, results))
    # The frames inherit this policy: where there are some with scripts, these must run, and still reach nothing.
    scripts = "'unsafe-inline' 'unsafe-eval'" if '<iframe sandbox="allow-scripts"' in body else "'none'"
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; media-src data:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )
    title = escape(encodable(_title(document)))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="cellblock">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{files("cellblock.notebook").joinpath("page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
{body}
</main>
<footer>{_footer(document, results, facts)}</footer>
</body>
</html>
"""


def _title(document: Document) -> str:
    for cell in document.cells:
        if isinstance(cell, TextCell) and cell.kind == "markdown" and (heading := _HEADING.search(cell.source)):
            return heading[1].strip("*_` ")
    return document.stem


def _cells(document: Document, results: Mapping[int, CellResult]) -> Iterator[str]:
    for cell in document.cells:
        if isinstance(cell, Block):
            yield _block(cell, results.get(cell.number) or CellResult(CellStatus.NOT_RUN))
        elif cell.kind == "markdown":
            html = markdown_html(encodable(cell.source), folder=document.directory, attachments=cell.attachments)
            yield f'<section class="markdown">{html}</section>'
        elif cell.kind == "code":
            yield _code(cell.source, "python", "")


def _block(block: Block, result: CellResult) -> str:
    expected = block.may_fail and result.status is CellStatus.ERROR
    outcome = "failed as expected" if expected else _OUTCOMES[result.status]
    seconds = "" if result.status is CellStatus.NOT_RUN else f"{result.duration:.2f} s"
    outputs = outputs_html(result)
    return (
        f'<section class="block {outcome.replace(" ", "-")}" id="{escape(block.cell_id)}">'
        f'<div class="head"><span class="number">{block.number}</span> {escape(block.language)}'
        f'<span class="outcome">{outcome}</span><span class="time">{seconds}</span></div>'
        f"{_code(block.code, block.language, 'code')}"
        + (f'<div class="outputs">{outputs}</div>' if outputs else "")
        + "</section>"
    )


def _code(code: str, language: str, name: str) -> str:
    return f'<pre class="hl {name}"><code>{highlighted(encodable(code), language)}</code></pre>'


def _footer(document: Document, results: Mapping[int, CellResult], facts: PageFacts) -> str:
    ok = sum(result.ok for result in results.values())
    name = escape(encodable(document.name))
    return (
        f"<b>{name}</b>: {ok} of {len(document.blocks)} blocks ok in {facts.duration:.1f} s. "
        f"Run on {escape(facts.kernel)}, {facts.when:%Y-%m-%d %H:%M %Z}, by cellblock."
    )
