"""A session's way to its kernel: being started, connected, or gone, and what became known of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from cellblock.errors import Disconnected, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock._core.messages import Message
    from cellblock.kernels import Kernel
    from cellblock.transports import Transport

__all__ = ["Connection"]

_log = logging.getLogger(__name__)

_END_GRACE = 0.5  # seconds between the end of a kernel's process and the end of its connection, either way round


class Connection:
    """Starts one kernel as often as needed and reads everything it sends.

    Reading never pauses, also between cells: nobody else reads, and unread output fills memory.

    Args:
        kernel: What to start.
        on_message: Told of each message.
        on_end: Told why, once the kernel or the connection to it has ended by itself and all it had sent was handed out.

    Attributes:
        generation: Which kernel this is: 1, then one more for each that has no state of the one before.
        lost: Why the state of the kernel that ran before was lost, until somebody takes it.
        dead: Whether it was the kernel that ended, rather than only the connection to it; meaningful once one of them has.
    """

    def __init__(self, kernel: Kernel, *, on_message: Callable[[Message], None], on_end: Callable[[str], None]) -> None:
        self.kernel = kernel
        self.generation = 0
        self.lost: str | None = None
        self.dead = False
        self._on_message = on_message
        self._on_end = on_end
        self._transport: Transport | None = None
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._ended: str | None = None
        # Why the connection was lost, as long as nobody knows what became of the state.
        self._unknown: str | None = None
        self._afresh = False  # whether the next start must not find the state of the kernel before
        self._process = ""  # the sender in the messages of the last cell

    @property
    def live(self) -> bool:
        """Whether a kernel is connected and nothing is known against it."""
        return self._transport is not None and self._ended is None

    @property
    def starting(self) -> bool:
        """Whether a start is on its way."""
        return self._starting is not None

    @property
    def starting_afresh(self) -> bool:
        """Whether a start is on its way whose kernel has no state yet."""
        return self.starting and (self._afresh or (self.kernel.is_ours and self.generation == 0))

    async def ensure(self) -> None:
        """Makes sure that a kernel is connected. A start goes on when its caller gives up: the next call has it.

        Raises:
            StartError: It did not start.
            TransportError: It could not be reached.
        """
        if self.live:
            return
        if self._ended is not None:
            if self.dead:
                self.lost = self.lost or self._ended
            await self.drop()
        starting = self.begin_start()
        try:
            await asyncio.shield(starting)
        finally:
            if starting.done():
                self._starting = None  # a failure has now been told; the next call tries again

    def begin_start(self) -> asyncio.Task[None]:
        """Starts a kernel in the background, if none is being started, and gives the start.

        A start that failed while nobody waited for it is forgotten: what kept it from succeeding may be over.
        """
        if self._starting is not None and self._starting.done() and not self._starting.cancelled():
            self._starting.exception()  # taken, so that nobody complains of it
            self._starting = None
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        return self._starting

    async def send(self, message: Message) -> None:
        """Sends a message to the kernel.

        Raises:
            Disconnected: There is no connection.
        """
        if self._transport is None:
            raise Disconnected("There is no connection to a kernel.")
        await self._transport.send(message)

    def lose(self, why: str) -> None:
        """Takes that the kernel is out of reach, so that what became of its state shows when it is reached again.

        Args:
            why: As a sentence.
        """
        self._unknown = self._unknown or why

    def heard_from(self, process: str) -> None:
        """Takes which process ran a cell: if it is not the one that ran the cell before, the state is lost.

        Args:
            process: The sender in the cell's messages; empty if it is not known.
        """
        if process and self._process not in ("", process):
            self.generation += 1
            self.lost = self.lost or "The kernel was restarted by another client or by its server."
        self._process = process or self._process

    async def discard(self) -> None:
        """Closes the connection for good: the next start is of a kernel with no state of this one's."""
        if not self.starting_afresh:
            await self._end_start()
        self._afresh = True
        await self.drop()

    async def drop(self) -> None:
        """Closes the connection; the kernel stays until it is started again or stopped."""
        transport, self._transport, self._ended = self._transport, None, None
        watching, self._watching = self._watching, None
        if transport is not None:
            await transport.close()
        if watching is not None:
            watching.cancel()
            await asyncio.wait((watching,))

    async def close(self) -> None:
        """Stops the kernel."""
        await self._end_start()
        await self.kernel.stop()
        await self.drop()

    async def _end_start(self) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)

    async def _start(self) -> None:
        transport = await self.kernel.start(afresh=self._afresh)
        self._transport = transport
        self._ended, self.dead = None, False
        if not self.kernel.resumed:
            self.generation += 1
            self.lost = self.lost or self._unknown
            self._process = ""
        self._unknown, self._afresh = None, False
        self._watching = asyncio.create_task(self._watch(transport, self.kernel.died))
        self._starting = None

    async def _watch(self, transport: Transport, died: asyncio.Future[str]) -> None:
        """Waits for the kernel's end, which shows in two ways at about the same time: its exit and its closed connection."""
        reading = asyncio.create_task(self._read(transport))
        try:
            await asyncio.wait((reading, died), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((reading, died), timeout=_END_GRACE)
            self.dead = died.done()
            self._ended = died.result() if self.dead else _why_it_ended(reading)
            if not self.dead:
                self.lose(self._ended)
            self._on_end(self._ended)
        finally:
            reading.cancel()

    async def _read(self, transport: Transport) -> None:
        while True:
            # A message that is none is dropped: a kernel must not be able to stop us from hearing it.
            with contextlib.suppress(ProtocolError):
                self._on_message(await transport.receive())


def _why_it_ended(reading: asyncio.Task[None]) -> str:
    error = reading.exception()
    if isinstance(error, Disconnected):
        return str(error)
    # A fault of ours, which must neither pass for the kernel's nor leave a session that hears nothing any more.
    _log.error("What a kernel sent could not be taken.", exc_info=error)
    return (
        f"cellblock could not read what the kernel sent ({type(error).__name__}: {error}), so the kernel was given up."
    )
