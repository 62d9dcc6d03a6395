"""Kernels that wait: a number of them, each taken once, and another in its place."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from cellblock.background import background_loop
from cellblock.kernels.forkserver.fork import ForkServerBusy, ForkServerFailed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Spares"]

_REFILL_AFTER = 0.2  # seconds that a kernel given out has the processors to itself
_END_GRACE = 5.0  # seconds


class _Endable(Protocol):
    def kill(self) -> None: ...

    def close(self, *, wait: float = 0.0) -> None: ...


_Spare = TypeVar("_Spare", bound=_Endable)


class Spares(Generic[_Spare]):
    """A bounded number of kernels that wait. May be used from any thread and any event loop.

    It ends them when it is closed or dropped.

    Args:
        size: How many wait, at most.
        make: Makes one, and must hold nothing that holds these. Where it cannot be had now it raises ForkServerBusy or
            ForkServerFailed.
    """

    def __init__(self, size: int, make: Callable[[], _Spare]) -> None:
        self._size = size
        self._make = make
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._waiting: deque[_Spare] = deque()
        self._end = weakref.finalize(self, _end_all, self._waiting)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        """Whether no more will come."""
        return not self._end.alive

    def fill(self) -> None:
        """Makes those that are missing; in the background those for which the fork server has too many requests."""
        if not self._filled():
            background_loop().submit_from_anywhere(self._refill())

    def take(self) -> _Spare | None:
        """One that waited, now the caller's; None if there is none."""
        if os.getpid() != self._owner:
            return None  # they are the parent's
        try:
            spare = self._waiting.popleft()
        except IndexError:
            return None
        background_loop().submit_from_anywhere(self._refill())
        return spare

    def close(self) -> None:
        """Ends those that wait. May be called more than once."""
        if os.getpid() == self._owner:
            with self._lock:
                self._end()

    async def _refill(self) -> None:
        await asyncio.sleep(_REFILL_AFTER)
        self.fill()

    def _filled(self) -> bool:
        """Makes those that are missing; tells whether it need not be tried again soon."""
        with self._lock:
            try:
                while not self.closed and len(self._waiting) < self._size:
                    self._waiting.append(self._make())
            except ForkServerBusy:
                return False
            except ForkServerFailed:
                pass  # the next to take one will ask another
        return True


def _end_all(waiting: deque[_Spare]) -> None:
    """Ends what waits. They are all told to before the first is waited for."""
    spares = list(waiting)
    waiting.clear()
    for spare in spares:
        spare.kill()
    for spare in spares:
        spare.close(wait=_END_GRACE)
