"""The one way out of a sandbox: an HTTP proxy on the host, answering a socket that listens inside.

``CONNECT`` opens a tunnel for TLS, whose server name must be the one asked for; other requests are passed on as they are.
Names are resolved here and the address that was checked is the one connected to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cellblock.kernels.sandbox.allowed_hosts import Target, parse_target
from cellblock.kernels.sandbox.tls_hello import MOST, NotTls, server_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cellblock.kernels.sandbox.allowed_hosts import AllowedHosts

__all__ = ["EgressProxy", "HostRequest"]

_log = logging.getLogger(__name__)
_CONNECTIONS = 64  # at the same time; each costs the host two sockets
_HEAD = 32 * 1024  # bytes a request's head may have
_HEAD_WITHIN = 15.0  # seconds
_CONNECT_WITHIN = 15.0
_BREATHER = 0.1
_CHUNK = 64 * 1024
_REQUEST_LINE = re.compile(r"([A-Z]{1,16}) (\S{1,8192}) HTTP/1\.[01]")


@dataclass(frozen=True, slots=True)
class HostRequest:
    """What code in a sandbox was told when it asked for a host.

    Attributes:
        target: The host that was asked for, as it may be shown.
        refused: Why it was not connected; empty if it was.
    """

    target: str
    refused: str = ""


class _Refused(Exception):
    """A request that is not granted.

    Args:
        target: The host asked for.
        reason: Why not; also the text of the answer, so that whoever made the request is told.
        status: The answer's status code.
    """

    def __init__(self, target: str, reason: str, status: int = 403) -> None:
        super().__init__(reason)
        self.target, self.status = target, status


class EgressProxy:
    """Answers the requests of one sandbox. Made inside the event loop it works in.

    Args:
        listener: A socket that listens; it belongs to this object from now on.
        allowed: The hosts.
        on_request: Told what was said to each request.
    """

    def __init__(
        self, listener: socket.socket, allowed: AllowedHosts, on_request: Callable[[HostRequest], None] | None
    ) -> None:
        self._on_request = on_request
        self._allowed = allowed
        self._tasks: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        self._run(self._accept(listener))

    def close(self) -> None:
        """Ends all connections."""
        for task in self._tasks:
            task.cancel()

    def _run(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        places = asyncio.Semaphore(_CONNECTIONS)
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                await places.acquire()  # the next waits in the backlog, inside
                try:
                    connection, _ = await loop.sock_accept(listener)
                except OSError as error:  # such as no descriptors left on the host
                    _log.warning("A sandbox's proxy could not take a connection: %s", error)
                    places.release()
                    await asyncio.sleep(_BREATHER)
                else:
                    self._run(self._serve(connection, places))

    async def _serve(self, connection: socket.socket, places: asyncio.Semaphore) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=connection, limit=_HEAD)
            try:
                await self._answer(reader, writer)
            finally:
                writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # either side hung up, or the sandbox is gone: nobody is left to be told
        finally:
            places.release()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_WITHIN):
                method, target, head = await _request(reader)
            far_reader, far_writer = await self._connect(target)
        except _Refused as refused:
            self._note(HostRequest(refused.target, str(refused)))
            await _refuse(writer, refused)
            return
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                head = await _hello(reader, target)
            self._note(HostRequest(str(target)))
            far_writer.write(head)
            await _relay((reader, writer), (far_reader, far_writer))
        except _Refused as refused:
            self._note(HostRequest(refused.target, str(refused)))
        finally:
            far_writer.close()

    async def _connect(self, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connects to a host that is allowed, at an address that is."""
        if not self._allowed.names(target):
            raise _Refused(str(target), f"Blocked by cellblock ({target} is not in allow_hosts)")
        try:
            async with asyncio.timeout(_CONNECT_WITHIN):
                for address in await self._addresses(target):
                    with contextlib.suppress(OSError):
                        return await asyncio.open_connection(address, target.port)
        except TimeoutError:
            raise _Refused(str(target), f"{target} did not answer", 504) from None
        raise _Refused(str(target), f"{target} cannot be reached", 502)

    async def _addresses(self, target: Target) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        except OSError:
            raise _Refused(str(target), f"{target} has no address", 502) from None
        addresses = [str(address[0]) for *_, address in found]
        reachable = [address for address in addresses if self._allowed.reaches(address)]
        if not reachable:
            reason = (
                f"Blocked by cellblock ({target} has a private address, {addresses[0]}, that is not in allow_hosts)"
            )
            raise _Refused(str(target), reason)
        return reachable

    def _note(self, request: HostRequest) -> None:
        if request.refused:
            _log.info("A sandbox was refused %s: %s", request.target, request.refused)
        else:
            _log.info("A sandbox was connected to %s", request.target)
        if self._on_request is not None:
            try:
                self._on_request(request)
            except Exception:  # the caller's own; the code inside must not suffer from it
                _log.exception("on_request failed")


async def _request(reader: asyncio.StreamReader) -> tuple[str, Target, bytes]:
    """The method and host of a request, and the head to be sent on to the host."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _Refused("?", "The request has too long a head", 431) from None
    line, _, headers = head.decode("latin-1").partition("\r\n")
    found = _REQUEST_LINE.fullmatch(line)
    if not found:
        raise _Refused("?", "The request is none of HTTP/1.1", 400)
    method, address = found.groups()
    if method == "CONNECT":
        target = parse_target(address)
        if target is None:
            raise _Refused("?", "The request names no host and port", 400)
        return method, target, b""
    return (method, *_plain(method, address, headers))


def _plain(method: str, address: str, headers: str) -> tuple[Target, bytes]:
    """The host of a request without TLS, and its head as the host expects it: one request, then the end."""
    try:
        url = urlsplit(address)
        target = parse_target(
            f"{url.netloc.rpartition('@')[2]}:80" if url.port is None else url.netloc.rpartition("@")[2]
        )
    except ValueError:
        target = None
    if target is None or url.scheme != "http":
        raise _Refused("?", "The request names no http address", 400)
    path = url.path or "/"
    line = f"{method} {path}?{url.query} HTTP/1.1" if url.query else f"{method} {path} HTTP/1.1"
    replaced = ("host:", "connection:", "proxy-")
    kept = [header for header in headers.split("\r\n") if header and not header.lower().startswith(replaced)]
    host = target.host if target.port == 80 else f"{target.host}:{target.port}"
    return target, "\r\n".join([line, f"Host: {host}", "Connection: close", *kept, "", ""]).encode("latin-1")


async def _hello(reader: asyncio.StreamReader, target: Target) -> bytes:
    """What the client sends first, once it is known to ask for the host that it was connected to."""
    received = b""
    async with asyncio.timeout(_HEAD_WITHIN):
        while len(received) < MOST:
            received += (more := await reader.read(_CHUNK))
            try:
                name = server_name(received)
            except NotTls:
                break
            if name is not None:
                if name == target.host or (not name and target.is_address):  # nobody names an address
                    return received
                raise _Refused(str(target), f"Blocked by cellblock (TLS for another host than {target})")
            if not more:
                break
    raise _Refused(str(target), f"Blocked by cellblock (a connection to {target} that is not TLS)")


async def _refuse(writer: asyncio.StreamWriter, refused: _Refused) -> None:
    """Answers with the reason in the status line, where clients show it, and in the body."""
    body = f"{refused}\n".encode()
    head = f"HTTP/1.1 {refused.status} {refused}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _relay(near: _Stream, far: _Stream) -> None:
    """Passes bytes both ways until both sides are done or one is gone."""
    ways = [asyncio.ensure_future(_pass(near[0], far[1])), asyncio.ensure_future(_pass(far[0], near[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
