"""Messages straight to and from a kernel's ZMQ sockets, on asyncio over each socket's file descriptor.

A ZMQ descriptor is edge-triggered: it says that something changed, not that a message waits. So a socket is read until it
has nothing left after every wake-up and after every send. Source: zmq_getsockopt(3), ``ZMQ_FD``.
"""

from __future__ import annotations

import asyncio
import functools
import os
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import zmq
from zmq.utils.monitor import parse_monitor_message

from cellblock._core.wire import Signer, deserialize, serialize
from cellblock.errors import Disconnected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock._core.messages import Channel, Message

__all__ = ["ZmqTransport"]

_BURST = 4 * 1024 * 1024  # bytes read from one socket before the event loop gets a turn
_BURST_MESSAGES = 500  # and messages: small ones cost more than their bytes
_CHANNELS: Mapping[Channel, int] = {
    "shell": zmq.DEALER,
    "control": zmq.DEALER,
    "stdin": zmq.DEALER,
    "iopub": zmq.SUB,
}


class Taken(Protocol):
    """Learns how much was taken from a kernel."""

    def add(self, size: int) -> None:
        """So many bytes more were taken."""

    def close(self) -> None:
        """No more will be."""


class ZmqTransport:
    """A connection to the sockets of one kernel.

    Connecting never waits: ZMQ connects in the background as soon as the kernel listens. Must be made inside the event
    loop that will use it.

    Args:
        endpoints: The ZMQ endpoint of each channel, such as ``ipc:///run/x/shell`` or ``tcp://127.0.0.1:5555``.
        key: The secret the messages are signed with.
        taken: Told of each number of bytes that was taken from iopub, and closed with the transport.
    """

    def __init__(self, endpoints: Mapping[Channel, str], key: bytes, *, taken: Taken | None = None) -> None:
        self._taken = taken
        self._loop = asyncio.get_running_loop()
        self._signer = Signer(key)
        self._published: deque[list[bytes]] = deque()
        self._answers: deque[tuple[Channel, list[bytes]]] = deque()  # go first: in a flood they tell that it has ended
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._sockets: dict[Channel, zmq.Socket[bytes]] = {}
        context = _context(os.getpid())
        identity = uuid.uuid4().bytes  # one for shell and stdin: that is how a kernel finds who to ask
        for channel, kind in _CHANNELS.items():
            socket = context.socket(kind)
            socket.linger = 0
            socket.rcvhwm = socket.sndhwm = 0  # a full queue would drop output, "idle" included
            socket.reconnect_ivl = 5  # milliseconds; the default of 100 is most of a kernel's start
            if kind == zmq.SUB:
                socket.subscribe(b"")
                self._monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
            else:
                socket.identity = identity
            socket.connect(endpoints[channel])
            self._sockets[channel] = socket
            self._loop.add_reader(socket.FD, self._drain, channel)
        self._loop.add_reader(self._monitor.FD, self._on_monitor)
        # A descriptor only signals once its socket has been found empty: connecting may leave one that never would.
        for channel in self._sockets:
            self._loop.call_soon(self._drain, channel)
        self._loop.call_soon(self._on_monitor)

    async def send(self, message: Message) -> None:
        """Sends a message on its channel.

        Args:
            message: On shell, control or stdin.

        Raises:
            Disconnected: The transport was closed.
        """
        socket = self._sockets.get(message.channel)
        if socket is None:
            raise Disconnected("The connection to the kernel is closed.")
        socket.send_multipart(serialize(message, self._signer), zmq.NOBLOCK)
        self._drain(message.channel)

    async def receive(self) -> Message:
        """Waits for the next message of any channel.

        Raises:
            Disconnected: The kernel has closed its sockets, or the transport was closed.
            RemoteProtocolError: What arrived is no message of this kernel; it was dropped and reading may go on.
        """
        while not self._answers and not self._published:
            if self._ended:
                raise Disconnected("The kernel closed its connection.")
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        channel, frames = self._answers.popleft() if self._answers else ("iopub", self._published.popleft())
        return deserialize(channel, frames, self._signer)

    async def close(self) -> None:
        """Closes all sockets; what has not been received is dropped."""
        if not self._sockets:
            return
        self._loop.remove_reader(self._monitor.FD)
        for socket in self._sockets.values():
            self._loop.remove_reader(socket.FD)
        self._sockets["iopub"].disable_monitor()
        self._monitor.close(0)
        for socket in self._sockets.values():
            socket.close(0)
        self._sockets.clear()
        self._end()
        if self._taken is not None:
            self._taken.close()

    def _drain(self, channel: Channel) -> None:
        """Reads all that a socket has, up to a burst."""
        taken = size = 0
        while size < _BURST and taken < _BURST_MESSAGES:
            frames = self._take(channel)
            if frames is None:
                break
            taken += 1
            size += sum(map(len, frames))
        else:
            self._loop.call_soon(self._drain, channel)
        if taken:
            if channel == "iopub" and self._taken is not None:
                self._taken.add(size)
            self._wake()

    def _take(self, channel: Channel) -> list[bytes] | None:
        """Reads one message, if there is one."""
        socket = self._sockets.get(channel)
        if socket is None:
            return None  # closed between the wake-up and now
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        if channel == "iopub":
            self._published.append(frames)
        else:
            self._answers.append((channel, frames))
        return frames

    def _on_monitor(self) -> None:
        while self._sockets:
            try:
                event: Any = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return
            if event["event"] == zmq.EVENT_DISCONNECTED:
                # ZMQ's own thread queues all it has read before it reports the end.
                self._end()

    def _end(self) -> None:
        for channel in self._sockets:
            while self._take(channel) is not None:
                pass
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@functools.cache
def _context(pid: int) -> zmq.Context[zmq.Socket[bytes]]:  # noqa: ARG001 - the key: a forked child must make its own
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 65536)  # the default of 1023 is 150 kernels
    return context
