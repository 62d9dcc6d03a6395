"""The shell channel of a kernel whose main thread is the only one to use it.

A stream of pyzmq keeps what it is given until the event loop, or a flush, has asked the socket whether it would take it. A
ROUTER socket always does, and asking takes longer than sending: a reply goes to the socket at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zmq
from zmq.eventloop.zmqstream import ZMQStream

if TYPE_CHECKING:
    from collections.abc import Sequence


class ShellStream(ZMQStream):
    """Sends in the call that says so."""

    def send_multipart(
        self,
        msg: Sequence[Any],
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
        callback: Any = None,
        **options: Any,
    ) -> None:
        """Sends a message.

        Args:
            msg: Its frames.
            flags: Of ZMQ.
            copy: Whether the frames are copied.
            track: As for sockets.
            callback: Told when it was sent; then it goes as streams of pyzmq send it.
            **options: As for sockets.
        """
        if callback is not None or self.sending():
            super().send_multipart(msg, flags, copy, track, callback, **options)
            return
        self.socket.send_multipart(msg, flags=flags, copy=copy, track=track, **options)
        self._update_handler(self._state)  # a request may have come meanwhile, and sending takes the descriptor's edge

    def flush(self, flag: int = zmq.POLLIN | zmq.POLLOUT, limit: int | None = None) -> int:
        """Sends or receives what waits.

        Args:
            flag: Which of the two.
            limit: How many messages at most.
        """
        if flag == zmq.POLLOUT and not self.sending():
            return 0
        return int(super().flush(flag, limit))
