"""Keeping text within what a model should be given: the head and the tail stay, a sentence stands for the rest."""

from __future__ import annotations

import re
from typing import NamedTuple

from cellblock.errors import ConfigError

__all__ = ["DEFAULT_BUDGET", "Cut", "apply_budget", "cut_for", "left_out"]

DEFAULT_BUDGET = 100_000
"""Characters of output a chat model is given unless asked otherwise.

English and code come to about 4 characters a token, tables of numbers to about 3: this is 25,000 to 35,000 tokens, a
quarter of the 128,000 that is the smallest context among today's common models. A traceback, a long log or a table of a
thousand rows fits whole; a file printed by mistake does not fill the conversation.
"""

_SLACK = 4  # at most this part of the head or the tail is given up to end or begin it at a line
_LEFT_OUT = re.compile(
    r"\[([0-9,]{1,20}) characters of output were left out here(?:\. The whole output is in ([^\n]+))?\.\]"
)


class Cut(NamedTuple):
    """What is taken out of a text, and what stands in its place."""

    start: int
    end: int
    sentence: str


def apply_budget(text: str, budget: int = DEFAULT_BUDGET, location: str = "") -> str:
    """Gives the text, or its head and tail with one sentence between them if it is longer than the budget.

    Args:
        text: The whole. What a limit had cut out of its middle before is counted too.
        budget: Characters the result may have. The sentence is never left out, however small the budget.
        location: Where the whole text is, such as a path, for the sentence to name.

    Raises:
        ConfigError: The budget is negative.
    """
    cut = cut_for(text, budget, location)
    return text if cut is None else text[: cut.start] + cut.sentence + text[cut.end :]


def cut_for(text: str, budget: int, location: str = "") -> Cut | None:
    """Gives what to take out of a text for it to keep to its budget, or None if it does.

    Args:
        text: The whole.
        budget: As for ``apply_budget``.
        location: As for ``apply_budget``.

    Raises:
        ConfigError: The budget is negative.
    """
    if budget < 0:
        raise ConfigError(f"The budget must be a number of characters, 0 or more, not {budget}.")
    if len(text) <= budget:
        return None
    missing, known = _missing_before(text)
    location = location or known
    longest = len(left_out(len(text) + missing, location)) + len("\n\n")
    head = tail = max(budget - longest, 0) // 2
    start, end = _line_end(text, head), _line_start(text, len(text) - tail)
    missing, _ = _missing_before(text[start:end])
    before = "\n" if start and text[start - 1] != "\n" else ""
    after = "\n" if end < len(text) else ""
    return Cut(start, end, before + left_out(end - start + missing, location) + after)


def left_out(characters: int, location: str) -> str:
    """Gives the sentence that stands where text is missing.

    Args:
        characters: How much is missing.
        location: Where the whole is; empty if nowhere, or if the sentence is not to say.
    """
    where = f" The whole output is in {location}." if location else ""
    return f"[{characters:,} characters of output were left out here.{where}]"


def _missing_before(text: str) -> tuple[int, str]:
    """How much longer the text was before sentences stood in it, and where the first of them says that the whole is."""
    sentences = list(_LEFT_OUT.finditer(text))
    location = next((sentence[2] for sentence in sentences if sentence[2]), "")
    return sum(int(sentence[1].replace(",", "")) - len(sentence[0]) for sentence in sentences), location


def _line_end(text: str, head: int) -> int:
    newline = text.rfind("\n", head - head // _SLACK, head)
    return head if newline < 0 else newline + 1


def _line_start(text: str, start: int) -> int:
    tail = len(text) - start
    newline = text.find("\n", start - 1, start + tail // _SLACK) if tail else -1
    return start if newline < 0 else newline + 1
