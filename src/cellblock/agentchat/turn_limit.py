"""How often the agent that began a chat may speak in it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TurnLimit"]


@dataclass
class TurnLimit:
    """The turns of one chat. A turn is a message of the agent that began it, with one reply.

    Attributes:
        allowed: How many there may be in all; None for any number.
        used: How many there were; not counted if any number is allowed.
    """

    allowed: int | None = None
    used: int = 0

    @property
    def left(self) -> int | None:
        """How many there may still be; None for any number."""
        return None if self.allowed is None else max(self.allowed - self.used, 0)

    def allow_more(self, turns: int) -> None:
        """Makes it so many from now on.

        Args:
            turns: How many.
        """
        self.allowed = self.used + turns
