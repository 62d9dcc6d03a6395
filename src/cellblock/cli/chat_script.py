"""The model's part of a transcript, to be said again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellblock.cli.chat_decisions import Decision
    from cellblock.cli.chat_transcript import RecordedReply

__all__ = ["ChatScript"]


class ChatScript:
    """Says what a model said, in order, and knows what a person decided about the code in it.

    Args:
        replies: What the model said.
    """

    def __init__(self, replies: Sequence[RecordedReply]) -> None:
        self._coming = iter(replies)
        self._current: RecordedReply | None = None

    def next_reply(self) -> str | None:
        """The next reply; None when all are said."""
        self._current = next(self._coming, None)
        return self._current.text if self._current else None

    def decision(self, number: int) -> Decision | None:
        """What was decided about a block of the reply that was said last; None if nothing was.

        Args:
            number: Which block, from 1.
        """
        return self._current.decisions.get(number) if self._current else None
