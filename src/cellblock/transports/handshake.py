"""Opening a kernel's WebSocket: what to ask for, and what it means when it does not open."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cellblock._core import server_api
from cellblock._core.server_api import Answer
from cellblock._core.websocket_framing import V1_SUBPROTOCOL
from cellblock.errors import CellblockError, ConnectError, Disconnected, MissingDependency
from cellblock.transports.connect_errors import connect_error
from cellblock.transports.tls import ssl_context

if TYPE_CHECKING:
    from cellblock._core.connection_info import JupyterConnectionInfo

try:
    from websockets import exceptions as websocket_errors
except ImportError as error:
    raise MissingDependency.for_extra("Talking to a Jupyter server", "server") from error

__all__ = ["HANDSHAKE_FAILURES", "KernelGoneError", "channels_url", "connect_options", "handshake_error"]

# TimeoutError is an OSError, a name that cannot be a host's a UnicodeError, a proxy that we cannot speak to an ImportError.
HANDSHAKE_FAILURES = (OSError, websocket_errors.WebSocketException, UnicodeError, ImportError)

_CLOSE_TIMEOUT = 1.0  # seconds for the closing handshake

_library_log = logging.getLogger("cellblock.transports.library")
_library_log.setLevel(logging.INFO)  # at DEBUG the library writes the token


class KernelGoneError(Disconnected):
    """The server is there and has no such kernel: not only the connection is lost."""


def channels_url(info: JupyterConnectionInfo, kernel_id: str, session_id: str) -> str:
    """The address of a kernel's WebSocket.

    Args:
        info: Where the server is.
        kernel_id: The kernel.
        session_id: The client's; with the same one a client gets what it missed between two connections.
    """
    return f"{info.websocket_url}/api/kernels/{quote(kernel_id, safe='')}/channels?session_id={session_id}"


def connect_options(info: JupyterConnectionInfo) -> dict[str, Any]:
    """What both the asyncio and the blocking client of the library are told."""
    return {
        "subprotocols": [V1_SUBPROTOCOL],
        "compression": None,  # costs more than it saves, and stock servers do not offer it
        "max_size": None,  # a cell may show anything; what is kept of it is limited elsewhere
        "additional_headers": info.request_headers,
        "proxy": None if info.is_loopback else True,
        "close_timeout": _CLOSE_TIMEOUT,
        "logger": _library_log,
        "ssl": ssl_context(info),
    }


def handshake_error(error: Exception, info: JupyterConnectionInfo, kernel_id: str, within: float) -> CellblockError:
    """The error to raise for one of HANDSHAKE_FAILURES.

    Args:
        error: What the library raised.
        info: Where we connected.
        kernel_id: The kernel.
        within: Seconds there were.

    Returns:
        AuthError, ConnectError, RemoteProtocolError, or KernelGoneError if the server has no such kernel.
    """
    if isinstance(error, websocket_errors.InvalidStatus):
        return _refusal(error, info, kernel_id)
    if isinstance(error, TimeoutError):
        return ConnectError(
            f"Kernel {kernel_id} at {info.url} did not answer within {within:g} s. "
            "It may be dead, or still starting on a busy machine."
        )
    return connect_error(error, info)


def _refusal(error: websocket_errors.InvalidStatus, info: JupyterConnectionInfo, kernel_id: str) -> CellblockError:
    response = error.response
    answer = Answer(
        response.status_code,
        response.headers.get("Content-Type", ""),
        response.headers.get("Location", ""),
        bytes(response.body or b""),
    )
    try:
        server_api.read_answer(server_api.open_channels(kernel_id), answer, info.url, has_token=bool(info.token))
    except CellblockError as refusal:
        return refusal
    return KernelGoneError(f"The server at {info.url} has no kernel {kernel_id}, or no longer.")
