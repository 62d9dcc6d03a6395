"""Control of one running kernel, whoever launched it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from cellblock.transports import Transport

__all__ = ["Kernel"]


class Kernel(Protocol):
    """Starts, interrupts and stops one kernel. All methods are called from one event loop.

    Attributes:
        name: The kernelspec's name.
        language: The language of the code it runs, in lower case, as in "python".
        died: Resolves with a sentence that says why when the running kernel dies by itself ("The kernel was killed by
            signal 9 (SIGKILL)."); a new future after each start. Never resolves for ``stop`` and ``start``, nor where only
            the connection was lost: then ``receive`` of the transport raises, and nothing more is known.
        is_ours: Whether ``start`` started the kernel, rather than found it. One that is not ours is never restarted but by an
            explicit restart, and only our own cells in it are interrupted.
        resumed: Whether the last ``start`` connected again to the very kernel that ran before, with its state.
    """

    name: str

    @property
    def is_ours(self) -> bool:
        """See the class."""

    @property
    def resumed(self) -> bool:
        """See the class."""

    @property
    def language(self) -> str:
        """See the class."""

    @property
    def died(self) -> asyncio.Future[str]:
        """See the class."""

    def last_words(self) -> bytes:
        """What the kernel that died wrote last, as ``cellblock._core.last_words`` reads it; empty if nobody kept it."""

    async def start(self, *, afresh: bool = False) -> Transport:
        """Starts the kernel, or starts it afresh with its state lost, and connects to it.

        Args:
            afresh: Whether a kernel that still runs must be replaced; otherwise it may be connected to again as it is.

        Returns:
            A transport on which an ``execute_request`` may be sent at once and none of its output is missed.

        Raises:
            StartError: It did not start.
            TransportError: It could not be reached.
        """

    async def interrupt(self) -> None:
        """Makes the running cell raise KeyboardInterrupt, as far as the kernel can be made to."""

    async def stop(self) -> None:
        """Ends the kernel (or, for one that somebody else started, our connection). May be called more than once."""
