"""What a person decided about a block before it ran, and how a transcript says so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cellblock._core.markdown import extract_blocks

__all__ = ["Changed", "Decision", "Skipped", "Stopped", "decision_as_text", "read_decision"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """The block is left out."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The chat ends before the block runs."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Other code runs in the block's place.

    Attributes:
        code: That code.
    """

    code: str


Decision = Skipped | Stopped | Changed
"""What a person decided about a block; that it may run as it is need not be kept."""

_SKIPPED, _STOPPED, _CHANGED = "was skipped.", "did not run: the chat was stopped.", "was changed to:"
_DECISION = re.compile(rf"Block (\d{{1,9}}) ({re.escape(_SKIPPED)}|{re.escape(_STOPPED)}|{re.escape(_CHANGED)})")


def decision_as_text(number: int, decision: Decision, language: str) -> str:
    """A decision as Markdown for people, which ``read_decision`` reads.

    Args:
        number: Which block of the message it is about, from 1.
        decision: What was decided.
        language: The block's language.
    """
    match decision:
        case Skipped():
            return f"Block {number} {_SKIPPED}"
        case Stopped():
            return f"Block {number} {_STOPPED}"
        case Changed(code):
            fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", code))])
            return f"Block {number} {_CHANGED}\n\n{fence}{language}\n{code}\n{fence}"


def read_decision(text: str) -> tuple[int, Decision] | None:
    """Which block a text of ``decision_as_text`` is about, and what was decided; None if it is no such text.

    Args:
        text: The Markdown.
    """
    found = _DECISION.match(text)
    if found is None:
        return None
    number = int(found[1])
    if found[2] == _SKIPPED:
        return number, Skipped()
    if found[2] == _STOPPED:
        return number, Stopped()
    code = next((block.code for block in extract_blocks(text) if block.closed), None)
    return None if code is None else (number, Changed(code))
