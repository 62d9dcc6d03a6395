"""Messages to and from a kernel through a Jupyter server's WebSocket.

A connection that drops is opened again with the same session id: Jupyter Server keeps what the kernel says meanwhile
and sends it then. What was on the way when the connection dropped is lost all the same, so ``interruptions`` counts.

Stock servers leave Nagle's algorithm on, so a small frame waits for the acknowledgement of the one before it, and
receivers delay that by 40 ms and more, in the hope of something to send along with it. So we send something: a pong that
nobody asked for, which RFC 6455 allows as a heartbeat (5.5.3). Unlike TCP_QUICKACK it also works where a proxy is the
receiver, and everywhere but on Linux.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State

from cellblock._core.websocket_framing import WebSocketFraming, framing_for
from cellblock.errors import ConnectError, Disconnected, ProtocolError, TransportError
from cellblock.transports.connect_errors import causes
from cellblock.transports.handshake import HANDSHAKE_FAILURES, channels_url, connect_options, handshake_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock._core.connection_info import JupyterConnectionInfo
    from cellblock._core.messages import Message

__all__ = ["WebSocketTransport"]

_GONE_AFTER = 2.0  # seconds for which a server may refuse connections, as it does while a network or a proxy comes back
_SMALL = 4096  # bytes; more than this is acknowledged at once anyway
_QUEUE = 1024  # frames held before reading from the network pauses
_RETRY_DELAYS = (0.0, 0.05, 0.1, 0.2, 0.5)  # seconds before each attempt to reconnect; the last one repeats


class WebSocketTransport:
    """A connection to one kernel through a Jupyter server.

    Args:
        connection_info: Where the server is.
        kernel_id: The kernel, which must be running there.
        open_timeout: Seconds for one attempt to connect; a server answers only once its kernel does.
        reconnect_timeout: Seconds in which a dropped connection must be up again.
        ping_interval: Seconds between pings, so that no proxy thinks the connection unused.
        silence_limit: Seconds without a sign of life after which the connection is taken for dropped.

    Attributes:
        interruptions: How often the connection dropped and was made again. Each time messages may have been lost, in
            either direction.
        on_resume: Called each time, once the connection is there again.
    """

    def __init__(
        self,
        connection_info: JupyterConnectionInfo,
        kernel_id: str,
        *,
        open_timeout: float = 60.0,
        reconnect_timeout: float = 30.0,
        ping_interval: float = 7.5,
        silence_limit: float = 25.0,
    ) -> None:
        self.kernel_id = kernel_id
        self.session_id = uuid.uuid4().hex
        self.interruptions = 0
        self.on_resume: Callable[[], None] = _ignore
        self._info = connection_info
        self._open_timeout = open_timeout
        self._reconnect_timeout = reconnect_timeout
        self._ping_interval = ping_interval
        self._silence_limit = silence_limit
        self._options = connect_options(connection_info)
        self._connection: _Connection | None = None
        self._framing: WebSocketFraming = framing_for(None)
        self._ended: Disconnected | None = None
        self._reconnecting = asyncio.Lock()
        self._keepalive: asyncio.Task[None] | None = None
        self._waiting_since: float | None = None

    async def open(self) -> None:
        """Connects.

        Raises:
            AuthError: The server refused our token.
            ConnectError: The server, or the kernel behind it, cannot be reached.
            Disconnected: The server has no such kernel.
            RemoteProtocolError: It answered with something else than a WebSocket.
        """
        self._adopt(await self._connect(self._open_timeout))
        self._keepalive = asyncio.create_task(self._keep_alive())

    async def send(self, message: Message) -> None:
        """Sends a message.

        A message that was handed over just when the connection dropped may not have arrived; ``interruptions`` has
        changed then.

        Raises:
            Disconnected: The connection has ended.
        """
        connection = self._open_connection()
        if connection.has_ended:
            connection.transport.abort()
            await connection.wait_closed()
            await self._reconnect(connection, connection.close_exc)
            connection = self._open_connection()
        try:
            await connection.send(self._framing.encode(message))
        except ConnectionClosed as error:
            await self._reconnect(connection, error)
            self._open_connection()

    async def receive(self) -> Message:
        """Waits for the next message of any channel.

        Raises:
            Disconnected: The connection has ended and everything that arrived was handed out.
            RemoteProtocolError: What arrived is no message; reading may go on.
        """
        while True:
            connection = self._open_connection()
            self._waiting_since = asyncio.get_running_loop().time()
            try:
                return self._framing.decode(await connection.recv())
            except ConnectionClosed as error:
                await self._reconnect(connection, error)
            finally:
                self._waiting_since = None

    async def close(self) -> None:
        """Ends the connection; may be called more than once."""
        if self._ended is None:
            self._ended = Disconnected(f"The connection to kernel {self.kernel_id} was closed.")
        if self._keepalive is not None:
            self._keepalive.cancel()
        if self._connection is not None:
            await self._connection.close()

    def _open_connection(self) -> _Connection:
        if self._ended is not None:
            raise self._ended.with_traceback(None)
        if self._connection is None:
            raise Disconnected(f"The connection to kernel {self.kernel_id} was never opened.")
        return self._connection

    def _adopt(self, connection: _Connection) -> None:
        self._connection = connection
        self._framing = framing_for(connection.subprotocol)

    async def _reconnect(self, broken: _Connection, cause: BaseException) -> None:
        """Replaces a broken connection, or ends the transport and raises why."""
        async with self._reconnecting:
            if self._connection is not broken or self._ended is not None:
                return  # done meanwhile; the caller looks again
            try:
                connection = await self._connect_again()
            except (TransportError, ProtocolError) as error:
                self._ended = _final(error)
                raise self._ended from cause
            if self._ended is not None:  # closed while we connected
                await connection.close()
                return
            self._adopt(connection)
            self.interruptions += 1
            self.on_resume()

    async def _connect_again(self) -> _Connection:
        clock = asyncio.get_running_loop().time
        begin = clock()
        refused_since: float | None = None
        attempt = 0
        while True:
            await asyncio.sleep(_RETRY_DELAYS[min(attempt, len(_RETRY_DELAYS) - 1)])
            attempt += 1
            left = begin + self._reconnect_timeout - clock()
            try:
                return await self._connect(max(left, 0.1))
            except ConnectError as error:
                refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes(error))
                refused_since = (refused_since or clock()) if refused else None
                if clock() >= begin + self._reconnect_timeout:
                    raise
                if refused_since is not None and clock() >= refused_since + _GONE_AFTER:
                    raise

    async def _connect(self, within: float) -> _Connection:
        # A server that gets the same session id from two connections at once mixes them up. So an attempt that was given
        # up, and of which the server may still hear, takes its session id with it.
        session_id, self.session_id = self.session_id, uuid.uuid4().hex
        try:
            connection = await connect(
                channels_url(self._info, self.kernel_id, session_id),
                **self._options,
                open_timeout=within,
                max_queue=_QUEUE,
                ping_interval=None,  # a pong can be stuck behind output we have not read yet; see _keep_alive
                create_connection=_Connection,
            )
        except HANDSHAKE_FAILURES as error:
            if isinstance(error, ConnectionRefusedError | InvalidStatus):
                self.session_id = session_id
            raise handshake_error(error, self._info, self.kernel_id, within) from error
        self.session_id = session_id
        assert isinstance(connection, _Connection)
        return connection

    async def _keep_alive(self) -> None:
        """Pings, and drops a connection that gives no sign of life while somebody waits for one.

        Any bytes count as life, not only pongs: in a flood a pong is far behind.
        """
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._ping_interval)
            connection = self._connection
            assert connection is not None
            heard = max(connection.heard, self._waiting_since or clock())
            if clock() - heard > self._silence_limit:
                connection.transport.abort()
                continue
            with contextlib.suppress(TimeoutError, ConnectionClosed):  # receive() sees to both
                async with asyncio.timeout(self._ping_interval):
                    await connection.ping()


class _Connection(ClientConnection):
    """A WebSocket that acknowledges small frames at once and knows when it last heard from the server."""

    heard = 0.0  # the loop's time
    _socket: socket.socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._socket = transport.get_extra_info("socket").dup()
        self.heard = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket.close()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.heard = self.loop.time()
        if len(data) < _SMALL and self.state is State.OPEN:
            self.protocol.send_pong(b"")
            self.send_data()

    @property
    def has_ended(self) -> bool:
        """Whether it is closed, or the other side's end of it waits to be read: what is sent now would be lost."""
        if self.state is not State.OPEN:
            return True
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def _ignore() -> None:
    pass


def _final(error: TransportError | ProtocolError) -> Disconnected:
    """What every later call raises: a connection that was open has ended, whatever kept it from opening again."""
    if isinstance(error, Disconnected):
        return error
    return Disconnected(f"The connection to the kernel dropped and could not be made again. {error}")
