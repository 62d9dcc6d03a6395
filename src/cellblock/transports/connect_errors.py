"""Why a server cannot be reached, said so that a reader knows what to do."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from cellblock.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellblock._core.connection_info import JupyterConnectionInfo

__all__ = ["causes", "connect_error"]

_OTHER_SCHEME = {
    False: " If it speaks https, pass use_https=True.",
    True: " If it speaks plain http, pass use_https=False.",
}


def connect_error(error: BaseException, info: JupyterConnectionInfo) -> ConnectError:
    """The error to raise in place of what a library or the operating system raised.

    Args:
        error: What was raised; what it was raised from is looked at too.
        info: Where we wanted to connect.
    """
    for cause in causes(error):
        reason = _reason(cause, info)
        if reason:
            return ConnectError(f"The Jupyter server at {info.url} cannot be reached: {reason}")
    said = str(error) or type(error).__name__
    return ConnectError(f"The Jupyter server at {info.url} cannot be reached: {said}.")


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception's deepest causes first, then itself; the members of a group are causes of the group."""
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield from causes(cause)
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from causes(member)
    yield error


def _goes_through_proxy(info: JupyterConnectionInfo) -> bool:
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    named = proxies.get("https" if info.use_https else "http") or proxies.get("all")
    return bool(named) and not info.is_loopback and not proxy_bypass(info.host)


def _reason(error: BaseException, info: JupyterConnectionInfo) -> str:
    """One sentence, or nothing if this exception says nothing a reader can use."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}). Pass the PEM file of its authority as ca_file=, "
            "or verify=False where nobody can be on the way."
        )
    if isinstance(error, ssl.SSLError):
        return f"it does not answer in TLS ({error.reason}).{_OTHER_SCHEME[True]}"
    if isinstance(error, socket.gaierror):
        return f"there is no host of the name {info.host!r} ({error.strerror})."
    if isinstance(error, ConnectionRefusedError) and _goes_through_proxy(info):
        return "nothing listens at the proxy that the environment names. Unset HTTP_PROXY and its like, or start the proxy."
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there. Is it running, and are host and port right?"
    if isinstance(error, ConnectionResetError | BrokenPipeError | EOFError) or "disconnected" in str(error):
        return f"it closed the connection without an answer.{_OTHER_SCHEME[info.use_https]}"
    if isinstance(error, TimeoutError):
        return f"it does not answer. Are host and port right?{_OTHER_SCHEME[info.use_https]}"
    return ""
