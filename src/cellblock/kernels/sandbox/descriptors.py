"""Open files that are handed to a process about to start."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Descriptors"]


class Descriptors:
    """Descriptors for one child, closed here on leaving.

    Attributes:
        all: Those there are, for ``pass_fds``.
    """

    def __init__(self) -> None:
        self.all: list[int] = []
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Gives the object itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes what is open here of them."""
        self._open.close()

    def own(self, descriptor: int) -> int:
        """Hands over a descriptor, and gives it.

        Args:
            descriptor: Belongs to this object from now on.
        """
        self._open.callback(os.close, descriptor)
        self.all.append(descriptor)
        return descriptor

    def lend(self, descriptors: Iterable[int]) -> None:
        """Hands over descriptors that somebody else will close here.

        Args:
            descriptors: They belong to whoever they did before.
        """
        self.all += descriptors

    def file(self, content: bytes) -> int:
        """Hands over a nameless file with some content, to be read from its start.

        Args:
            content: All of it.
        """
        descriptor = self.own(os.memfd_create("cellblock", os.MFD_CLOEXEC))
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor
