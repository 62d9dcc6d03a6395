"""The connection to a running container's standard streams: its lifeline, the end of its log, and the news of its end."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

__all__ = ["Attachment"]

_TAIL = 8192  # bytes
_JOIN_SECONDS = 5.0  # for the thread to see that the connection was closed


class Attachment:
    """Reads what a container writes, in a thread of its own, until the container ends or ``close`` is called.

    With ``hold_stdin``, the end of this connection is the end of the container's standard input, also when it ends
    because this program was killed.

    Args:
        container: One of Docker's SDK, not started yet.
        hold_stdin: Whether to hold its standard input open; it must have been created with one.
    """

    def __init__(self, container: Any, *, hold_stdin: bool) -> None:
        params = {"stdout": 1, "stderr": 1, "stream": 1} | ({"stdin": 1} if hold_stdin else {})
        self._connection = container.client.api.attach_socket(container.id, params)
        # Beneath the file is the socket to shut down, beside it the SDK's response, which closes both.
        file = self._connection
        self._socket = getattr(file, "_sock") if isinstance(file, socket.SocketIO) else file  # noqa: B009
        self._response = getattr(file, "_response")  # noqa: B009
        self._tail = b""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="cellblock-container", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the container's streams have ended, as they do with its first process."""
        return not self._thread.is_alive()

    @property
    def tail(self) -> str:
        """The last of what it wrote."""
        with self._lock:
            return self._tail.decode(errors="replace").strip()

    def close(self) -> None:
        """Ends the connection; may be called more than once."""
        with suppress(OSError):  # the other side has closed it already
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it
        self._thread.join(_JOIN_SECONDS)
        self._response.close()

    def _read(self) -> None:
        from docker.utils.socket import frames_iter

        with suppress(OSError, ValueError):  # closed while it was read
            for _, chunk in frames_iter(self._connection, tty=False):
                with self._lock:
                    self._tail = (self._tail + chunk)[-_TAIL:]
