"""The connection to a kernel on a server, whose messages and whose end tell what became of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock._core.messages import MessageNumber
from cellblock.transports.handshake import KernelGoneError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock._core.messages import Message
    from cellblock.kernels.remote import RemoteKernel
    from cellblock.transports.websocket import WebSocketTransport

__all__ = ["WatchedTransport"]

_LAST_WORDS = "last_words"  # type of a message of our own servers; see servers/local_server_main.py


class WatchedTransport:
    """A transport that tells its kernel when it died.

    Args:
        transport: Carries the messages.
        kernel: Is told.
    """

    def __init__(self, transport: WebSocketTransport, kernel: RemoteKernel) -> None:
        self._transport = transport
        self._kernel = kernel
        self._closed = False

    @property
    def interruptions(self) -> int:
        """How often the connection dropped and was made again; messages may be missing each time."""
        return self._transport.interruptions

    @property
    def on_resume(self) -> Callable[[], None]:
        """Called each time."""
        return self._transport.on_resume

    @on_resume.setter
    def on_resume(self, callback: Callable[[], None]) -> None:
        self._transport.on_resume = callback

    def expect_end(self) -> None:
        """From now on the kernel's end is no news."""
        self._closed = True

    async def send(self, message: Message) -> None:
        """See ``WebSocketTransport``."""
        await self._transport.send(message)

    async def receive(self) -> Message:
        """See ``WebSocketTransport``."""
        try:
            message = await self._transport.receive()
        except KernelGoneError as error:
            if not self._closed:
                self._kernel.report_death(str(error), gone=True)
            raise
        if self._closed:
            return message
        if message.msg_type == "status":
            self._look_at_status(message)
        elif message.msg_type == "shutdown_reply" and message.channel == "iopub":
            self._look_at_shutdown(message)
        elif message.msg_type == _LAST_WORDS:
            self._kernel.keep_last_words(b"".join(message.buffers))
        return message

    async def close(self) -> None:
        """See ``WebSocketTransport``."""
        self._closed = True
        await self._transport.close()

    def _look_at_status(self, message: Message) -> None:
        state = message.content.get("execution_state")
        if state == "restarting":
            self._kernel.report_death("The kernel died and the server started it again.", fresh=True)
        elif state == "dead":
            self._kernel.report_death("The kernel died and the server could not start it again.")
        elif message.parent_header and (number := MessageNumber.of(message.msg_id)) is not None:
            self._kernel.note_process(number.sender)  # what a server says in the kernel's name answers nothing

    def _look_at_shutdown(self, message: Message) -> None:
        if message.content.get("restart"):
            self._kernel.report_death("The kernel was restarted by another client of the server.", fresh=True)
        else:
            self._kernel.report_death("The kernel was shut down by another client of the server.", gone=True)
