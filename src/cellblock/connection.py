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
        on_end: Told why, once the kernel is gone by itself and all it had sent was handed out.

    Attributes:
        generation: How often the kernel was started.
        lost: Why the kernel that ran before this one ended, until somebody takes it.
    """

    def __init__(self, kernel: Kernel, *, on_message: Callable[[Message], None], on_end: Callable[[str], None]) -> None:
        self.kernel = kernel
        self.generation = 0
        self.lost: str | None = None
        self._on_message = on_message
        self._on_end = on_end
        self._transport: Transport | None = None
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._ended: str | None = None

    @property
    def live(self) -> bool:
        """Whether a kernel is connected and nothing is known against it."""
        return self._transport is not None and self._ended is None

    @property
    def starting(self) -> bool:
        """Whether a start is on its way."""
        return self._starting is not None

    async def ensure(self) -> None:
        """Makes sure that a kernel is connected. A start goes on when its caller gives up: the next call has it.

        Raises:
            StartError: It did not start.
            TransportError: It could not be reached.
        """
        if self.live:
            return
        if self._ended is not None:
            self.lost = self.lost or self._ended
            await self.drop()
        starting = self.begin_start()
        try:
            await asyncio.shield(starting)
        finally:
            if starting.done():
                self._starting = None  # a failure has now been told; the next call tries again

    def begin_start(self) -> asyncio.Task[None]:
        """Starts a kernel in the background, if none is being started, and gives the start."""
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
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        await self.kernel.stop()
        await self.drop()

    async def _start(self) -> None:
        transport = await self.kernel.start()
        self._transport = transport
        self._ended = None
        self.generation += 1
        self._watching = asyncio.create_task(self._watch(transport, self.kernel.died))
        self._starting = None

    async def _watch(self, transport: Transport, died: asyncio.Future[str]) -> None:
        """Waits for the kernel's end, which shows in two ways at about the same time: its exit and its closed connection."""
        reading = asyncio.create_task(self._read(transport))
        try:
            await asyncio.wait((reading, died), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((reading, died), timeout=_END_GRACE)
            self._ended = died.result() if died.done() else _why_it_ended(reading)
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
