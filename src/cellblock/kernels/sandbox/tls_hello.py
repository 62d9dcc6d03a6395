"""The server name in the first message of a TLS connection.

Source: RFC 8446, sections 4.1.2 and 5.1, and RFC 6066, section 3.
"""

from __future__ import annotations

__all__ = ["MOST", "NotTls", "server_name"]

MOST = 32 * 1024
"""Bytes after which a first message that is still not whole is none."""

_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0


class NotTls(Exception):
    """The bytes do not begin a TLS connection."""


class _Reader:
    """Bytes taken from the front, in the numbers and vectors that TLS is made of."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise NotTls
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> _Reader:
        return _Reader(self.take(self.number(size)))


def server_name(received: bytes) -> str | None:
    """The name that the client says it wants to talk to, in lower case.

    Args:
        received: All that the client has sent so far.

    Returns:
        The name; an empty string if it says none; None if the message is not whole yet.

    Raises:
        NotTls: This is no TLS connection.
    """
    hello = _client_hello(received)
    if hello is None:
        return None
    hello.take(2 + 32)  # version and random
    for size_of_length in (1, 2, 1):  # session id, cipher suites, compression methods
        hello.vector(size_of_length)
    extensions = hello.vector(2) if hello.left else _Reader(b"")
    while extensions.left:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            names = content.vector(2)
            if names.number(1) != _HOST_NAME:
                raise NotTls
            name = names.vector(2)
            return name.take(name.left).decode("ascii", "replace").lower()
    return ""


def _client_hello(received: bytes) -> _Reader | None:
    """The body of the first message, which may be spread over records."""
    message = b""
    while True:
        if len(received) >= 1 and received[0] != _HANDSHAKE:
            raise NotTls
        if len(received) < 5:
            return None
        length = int.from_bytes(received[3:5], "big")
        if received[1] != 3 or not 0 < length <= 2**14:
            raise NotTls
        message += received[5 : 5 + length]
        if message and message[0] != _CLIENT_HELLO:
            raise NotTls
        if len(message) >= 4 and len(message) >= 4 + (whole := int.from_bytes(message[1:4], "big")):
            return _Reader(message[4 : 4 + whole])
        if len(received) < 5 + length:
            return None
        received = received[5 + length :]
