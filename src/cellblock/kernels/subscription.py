"""Waiting until what a kernel on a server shows reaches a new connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from cellblock._core.messages import MessageNumber, Requests

if TYPE_CHECKING:
    from cellblock._core.messages import Message
    from cellblock.transports import Transport

__all__ = ["until_subscribed"]

_ASK_EVERY = 0.1  # seconds between questions to a kernel whose outputs do not reach us yet
_SUBSCRIBED_WITHIN = 5.0  # seconds; a kernel that does not answer on its control channel is believed after that


async def until_subscribed(transport: Transport) -> str:
    """Asks the kernel for anything until the answer comes on iopub too, and gives the sender it names, if it does.

    A server does this itself before it lets us in, except for a kernel it believes busy, which it does of one that it
    has killed in the middle of a cell; the first outputs would then be lost. The control channel answers while a
    cell of somebody else's runs; for a kernel that has none, waiting is limited.

    Args:
        transport: The new connection; nobody else reads from it yet.

    Raises:
        TransportError: The connection has ended.
    """
    requests = Requests()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SUBSCRIBED_WITHIN):
            while True:
                await transport.send(requests.make("kernel_info_request", {}, channel="control"))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_ASK_EVERY):
                        while not _is_of(message := await transport.receive(), requests):
                            pass
                        number = MessageNumber.of(message.msg_id)
                        return number.sender if number else ""
    return ""


def _is_of(message: Message, requests: Requests) -> bool:
    return message.channel == "iopub" and message.parent_header.get("session") == requests.session
