"""A TCP proxy that can fail the way networks do: cut connections, go silent, refuse."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import struct
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from cellblock.servers.connection_info import JupyterConnectionInfo


class FaultProxy:
    """Stands between a client and the server at ``target``; use it with ``async with``.

    With ``idle_limit`` it cuts connections on which nothing has come from one side for so many seconds.

    ``connected`` is set by each connection that is made, ``passed`` by whatever comes from the server, also if it is
    swallowed; clear and wait. ``sent`` has what the clients sent.
    """

    def __init__(self, target: JupyterConnectionInfo, *, idle_limit: float | None = None) -> None:
        self._target = target
        self._idle_limit = idle_limit
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut_after: int | None = None
        self._swallows = False
        self.connected = asyncio.Event()
        self.passed = asyncio.Event()
        self.sent = bytearray()
        self.port = 0

    @property
    def info(self) -> JupyterConnectionInfo:
        """The way to the server through the proxy."""
        return dataclasses.replace(self._target, port=self.port)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        await self.cut()

    async def listen(self) -> None:
        """Accepts connections (again)."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuses new connections; those there are stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def cut(self) -> None:
        """Ends all connections with a reset, in both directions."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut_after(self, size: int) -> None:
        """Cuts once so many more bytes have come from the server."""
        self._cut_after = size

    def swallow(self, *, on: bool = True) -> None:
        """Loses whatever comes from the server, or no longer."""
        self._swallows = on

    def silence(self) -> None:
        """Passes nothing on from now on and keeps everything open, as a network does that drops packets."""
        self._flowing.clear()

    def resume(self) -> None:
        """Passes everything on again."""
        self._flowing.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected.set()
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._target.host, self._target.port)
        except OSError:
            await _reset(writer)
            return
        there = asyncio.create_task(self._pump(reader, far_writer))
        back = asyncio.create_task(self._pump(far_reader, writer, from_server=True))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            back.cancel()
            await asyncio.gather(_reset(writer), _reset(far_writer), there, back, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_server: bool = False
    ) -> None:
        with contextlib.suppress(OSError):  # a TimeoutError is one
            while data := await asyncio.wait_for(reader.read(65536), self._idle_limit):
                await self._flowing.wait()
                if from_server and self._swallows:
                    self.passed.set()
                    continue
                writer.write(data)
                await writer.drain()
                if not from_server:
                    self.sent += data
                elif self._must_cut(len(data)):
                    return

    def _must_cut(self, size: int) -> bool:
        self.passed.set()
        if self._cut_after is None:
            return False
        self._cut_after -= size
        if self._cut_after > 0:
            return False
        self._cut_after = None
        return True


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes without waiting for what is still to be written, and returns once it is closed."""
    linger = struct.pack("ii", 1, 0)  # on, for no time: a reset
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
