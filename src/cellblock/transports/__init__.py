"""Carrying messages to and from one kernel, with no idea of what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cellblock._core.messages import Message

__all__ = ["Transport"]


class Transport(Protocol):
    """A connection to one kernel. All methods are called from one event loop.

    Check an implementation with ``cellblock.testing.TransportContract``.
    """

    async def send(self, message: Message) -> None:
        """Sends a message on its channel.

        Raises:
            Disconnected: The connection has ended.
        """

    async def receive(self) -> Message:
        """Waits for the next message of any channel. Never called twice at the same time.

        An implementation hands out what has arrived without suspending, and lets the event loop run between bursts, so
        that a flood cannot keep timers from firing.

        Raises:
            Disconnected: The connection has ended and everything that arrived was handed out.
        """

    async def close(self) -> None:
        """Ends the connection; may be called more than once."""
