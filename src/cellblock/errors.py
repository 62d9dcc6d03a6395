"""Every exception cellblock raises.

What the code of a cell did is data: a result with a status. What the system failed at is one of these::

    CellblockError
    ├─ ConfigError (also ValueError)            an argument cannot be used
    │  ├─ KernelSpecNotFound                    no kernelspec of that name
    │  └─ MissingDependency (also ImportError)  an extra is not installed
    ├─ StartError (also ValueError)             something did not start
    │  ├─ KernelStartError                      a kernel
    │  │  └─ StartupCodeFailed                  the code that it runs before all else
    │  ├─ ServerStartError                      a Jupyter server
    │  └─ ImageError                            a container image
    ├─ SandboxUnavailable                       the confinement asked for cannot be had here
    ├─ TransportError (also ConnectionError)    messages do not get through
    │  ├─ ConnectError                          no connection could be made
    │  ├─ AuthError                             the server refused our token
    │  └─ Disconnected                          an open connection ended
    ├─ ProtocolError                            a message breaks the protocol
    │  ├─ LocalProtocolError                    ours
    │  └─ RemoteProtocolError                   the kernel's or the server's
    ├─ SessionError                             the session cannot do this
    │  ├─ SessionClosed                         it was closed
    │  └─ KernelDied                            its kernel died outside of a cell
    └─ CellFailed                               only raised by ``raise_for_error()``
       ├─ CellError                             the code raised
       ├─ CellTimeout (also TimeoutError)       the code ran into its deadline
       └─ CellInterrupted                       the code was interrupted

``ConfigError`` and ``StartError`` are ValueErrors because AutoGen 0.2 raises ValueError in those places.
"""

from __future__ import annotations

__all__ = [
    "AuthError",
    "CellError",
    "CellFailed",
    "CellInterrupted",
    "CellTimeout",
    "CellblockError",
    "ConfigError",
    "ConnectError",
    "Disconnected",
    "ImageError",
    "KernelDied",
    "KernelSpecNotFound",
    "KernelStartError",
    "LocalProtocolError",
    "MissingDependency",
    "ProtocolError",
    "RemoteProtocolError",
    "SandboxUnavailable",
    "ServerStartError",
    "SessionClosed",
    "SessionError",
    "StartError",
    "StartupCodeFailed",
    "TransportError",
]


class CellblockError(Exception):
    """Base of every exception cellblock raises."""


class ConfigError(CellblockError, ValueError):
    """An argument cannot be used; the message says what was wanted."""


class KernelSpecNotFound(ConfigError):
    """There is no kernelspec of the name asked for."""


class MissingDependency(ConfigError, ImportError):
    """A part of cellblock needs an extra that is not installed."""

    @classmethod
    def for_extra(cls, purpose: str, extra: str) -> MissingDependency:
        """The error that names the command which mends it.

        Args:
            purpose: What was wanted, as the start of a sentence ("Talking to a Jupyter server").
            extra: The extra of cellblock that brings the packages.
        """
        return cls(
            f'{purpose} needs packages that are not installed. Install them with: pip install "cellblock[{extra}]"'
        )


class StartError(CellblockError, ValueError):
    """Something that was to be started did not start."""


class KernelStartError(StartError):
    """A kernel did not start; the message carries the end of its own output."""


class StartupCodeFailed(KernelStartError):
    """A kernel's startup code did not run to its end.

    Args:
        what: What it raised, or what became of the kernel.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"The kernel's startup code failed: {what}")
        self.what = what


class ServerStartError(StartError):
    """A Jupyter server did not start; the message carries the end of its log."""


class ImageError(StartError):
    """A container image is missing or cannot be built."""


class SandboxUnavailable(CellblockError):
    """The confinement asked for cannot be had here; the message names the cause and what mends it."""


class TransportError(CellblockError, ConnectionError):
    """Messages do not get through to the kernel."""


class ConnectError(TransportError):
    """No connection could be made."""


class AuthError(TransportError):
    """The server refused our token, or wants one.

    Args:
        message: What was wanted, what happened, and what a program can do about it.
        wants_token: What happened, without advice, if no token was given: how one is given depends on who asks.

    Attributes:
        wants_token: The same; empty if a token was given.
    """

    def __init__(self, message: str, *, wants_token: str = "") -> None:
        super().__init__(message)
        self.wants_token = wants_token


class Disconnected(TransportError):
    """A connection that was open has ended."""


class ProtocolError(CellblockError):
    """A message breaks the protocol."""


class LocalProtocolError(ProtocolError):
    """We were about to break the protocol."""


class RemoteProtocolError(ProtocolError):
    """The kernel or the server broke the protocol."""


class SessionError(CellblockError):
    """The session cannot do what was asked."""


class SessionClosed(SessionError):
    """The session was closed, or belongs to the process this one was forked from."""


class KernelDied(SessionError):
    """The session's kernel died and no cell of ours was running."""


class CellFailed(CellblockError):
    """A cell did not succeed. Raised by ``raise_for_error()`` only."""


class CellError(CellFailed):
    """The code of the cell raised, or its kernel died."""


class CellTimeout(CellFailed, TimeoutError):
    """The cell ran into its deadline."""


class CellInterrupted(CellFailed):
    """The cell was interrupted."""
