"""Where a chat prints and asks: the console, unless a program sets another stream.

A program that shows chats elsewhere (a window, a web socket) gives its own stream: ``with IOStream.set_default(stream):``.
The setting holds for the current context: another thread or task has its own.
"""

from __future__ import annotations

import getpass
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["IOConsole", "IOStream", "InputStream", "OutputStream"]


@runtime_checkable
class OutputStream(Protocol):
    """Something to print on."""

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        """Prints as ``print()`` does.

        Args:
            objects: What to print.
            sep: What stands between the objects.
            end: What stands after them.
            flush: Whether the text must be seen at once.
        """
        ...


@runtime_checkable
class InputStream(Protocol):
    """Somebody to ask."""

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        """Asks and gives the answer.

        Args:
            prompt: The question.
            password: Whether the answer is hidden while it is typed.
        """
        ...


@runtime_checkable
class IOStream(InputStream, OutputStream, Protocol):
    """A stream for both ways; any object with its ``print`` and ``input`` is one."""

    @staticmethod
    def get_default() -> IOStream:
        """The stream of the current context: the console if none was set."""
        return _current.get() or IOConsole()

    @staticmethod
    @contextmanager
    def set_default(stream: IOStream | None) -> Iterator[None]:
        """Makes a stream the default within a ``with`` block.

        Args:
            stream: The stream; None for the console.
        """
        token = _current.set(stream)
        try:
            yield
        finally:
            _current.reset(token)


class IOConsole(IOStream):
    """The console: ``print()`` and ``input()``."""

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        """Prints to standard output; for the arguments see ``OutputStream``."""
        print(*objects, sep=sep, end=end, flush=flush)

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        """Asks on the console; for the arguments see ``InputStream``."""
        return getpass.getpass(prompt or "Password: ") if password else input(prompt)


_current: ContextVar[IOStream | None] = ContextVar("cellblock_iostream", default=None)
