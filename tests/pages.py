"""The code blocks of the documentation, as the tests run them.

What a page can say about its blocks, in comments that a reader does not see:

``<!-- needs: docker -->``   before a block: it is run where there is a Docker engine
``<!-- needs: model -->``    before a block: it is run against a model server that gives the page's answers
``<!-- model says: … -->``   an answer of that server; they are given in the order of the page
``<!-- not run: … -->``      before a block: it is not run, for this reason

A block with a title is a file: the page's other blocks find it under that name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

_MARK = re.compile(r"<!-- (needs|not run): (.+?) -->")
_ANSWER = re.compile(r"<!-- model says: (.+?) -->", re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_SECONDS = re.compile(r"\d+\\\.\d+(?=\\s\+s\b)")  # in a pattern: any time is as good as the one shown
_SHELL = ("bash", "console", "shell", "sh")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        line: Of its first line of code, from 1.
        language: The first word of its info string.
        title: The file it is.
        need: What must be there to run it.
        excuse: Why it is not run.
    """

    line: int
    language: str
    code: str
    title: str = ""
    need: str = ""
    excuse: str = ""


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found, marks = [], {}
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "html_block":
            marks = dict(_MARK.findall(token.content))
        elif token.type == "fence":
            language, _, attributes = token.info.strip().partition(" ")
            title = _TITLE.search(attributes)
            found.append(
                Block(
                    token.map[0] + 2,
                    language,
                    token.content,
                    title[1] if title else "",
                    marks.get("needs", ""),
                    marks.get("not run", ""),
                )
            )
            marks = {}
        elif token.level == 0:
            marks = {}
    return found


def python_blocks(page: Path, need: str) -> list[Block]:
    """The Python blocks of a page that have one need."""
    return [
        block
        for block in blocks_of(page)
        if block.language == "python" and block.need == need and not block.excuse and not block.title
    ]


def commands(block: Block) -> list[str]:
    """The commands of a shell block; what follows ``$`` where it has prompts."""
    lines = block.code.replace("\\\n", " ").splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def shown_output(block: Block) -> list[str]:
    """What a block with prompts shows that its commands print."""
    if block.language != "console":
        return []
    continued = block.code.replace("\\\n", " ").splitlines()
    return [line for line in continued if line.strip() and not line.startswith("$ ")]


def shell_blocks(page: Path) -> list[Block]:
    """The shell blocks of a page that begin with a command of ours, and so can be run anywhere."""
    shell = [block for block in blocks_of(page) if block.language in _SHELL and not block.excuse]
    return [block for block in shell if commands(block)[0].startswith("cellblock ")]


def model_answers(page: Path) -> list[str]:
    """What the model server says to a page's blocks."""
    return [answer.strip() for answer in _ANSWER.findall(page.read_text())]


def write_files(page: Path, folder: Path) -> None:
    """Writes the page's blocks that have a title."""
    for block in blocks_of(page):
        if block.title:
            path = folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code)


def claims(block: Block) -> list[str]:
    """What the comments beside and right under a ``print`` say it prints, in order; ``…`` stands for anything."""
    said, after_print = [], False
    for line in block.code.splitlines():
        code, _, comment = line.partition("  # ") if not line.lstrip().startswith("# ") else ("", "", line.strip()[2:])
        if code:
            after_print = code.lstrip().startswith("print(")
        if after_print and comment:
            said.append(comment.strip())
    return said


def missing_claim(said: list[str], printed: str) -> str | None:
    """The first of the claims that what was printed does not bear out, each looked for after the one before."""
    position = 0
    for claim in said:
        parts = (r"\s+".join(map(re.escape, part.split())) for part in claim.split("…"))
        pattern = _SECONDS.sub(r"\\d+\\.\\d+", ".*?".join(parts))
        found = re.compile(pattern, re.DOTALL).search(printed, position)
        if found is None:
            return claim
        position = found.end()
    return None
