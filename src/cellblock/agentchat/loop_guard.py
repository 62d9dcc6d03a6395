"""Ends a chat that goes round in circles: the same block, failing again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellblock.coding.base import CodeBlock

__all__ = ["LoopGuard"]


class LoopGuard:
    """Counts how often in a row the same blocks have failed.

    Args:
        max_repeats: How often is too often; None for no guard.
    """

    def __init__(self, max_repeats: int | None) -> None:
        self._max_repeats = max_repeats
        self._code: tuple[str, ...] = ()
        self._failures = 0

    def objection(self, blocks: list[CodeBlock]) -> str:
        """Why these blocks are not to be run once more, as a sentence; empty if they may be.

        Args:
            blocks: What is to be run next.
        """
        if self._max_repeats is None or self._failures < self._max_repeats or self._code != _code(blocks):
            return ""
        return f"The same code has failed {self._failures} times in a row."

    def note(self, blocks: list[CodeBlock], exit_code: int) -> None:
        """Takes note of what running blocks came to.

        Args:
            blocks: What was run.
            exit_code: How it ended.
        """
        code = _code(blocks)
        same = code == self._code
        self._code = code
        self._failures = 0 if exit_code == 0 else self._failures + 1 if same else 1

    def reset(self) -> None:
        """Forgets what was run."""
        self._code, self._failures = (), 0


def _code(blocks: list[CodeBlock]) -> tuple[str, ...]:
    return tuple(block.code.strip() for block in blocks)
