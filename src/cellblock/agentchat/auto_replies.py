"""How often an agent may reply without a person."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellblock.agentchat.agent import Agent

__all__ = ["AutoReplies"]


class AutoReplies:
    """Counts the replies in a row to each sender, against a limit.

    Args:
        limit: How many are allowed.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._limits: dict[Agent | None, int] = {}
        self._counts: defaultdict[Agent | None, int] = defaultdict(int)

    def limit(self, sender: Agent | None = None) -> int:
        """How many replies in a row to a sender are allowed."""
        return self._limits.get(sender, self._limit)

    def set_limit(self, value: int, sender: Agent | None = None) -> None:
        """Changes the limit for one sender, or without one for all."""
        if sender is None:
            self._limit = value
            self._limits.clear()
        else:
            self._limits[sender] = value

    def exhausted(self, sender: Agent | None) -> bool:
        """Whether no further reply is allowed."""
        return self._counts[sender] >= self.limit(sender)

    def count(self, sender: Agent | None) -> None:
        """Counts one more reply."""
        self._counts[sender] += 1

    def reset(self, sender: Agent | None = None) -> None:
        """Begins to count anew for one sender, or without one for all."""
        if sender is None:
            self._counts.clear()
        else:
            self._counts[sender] = 0
