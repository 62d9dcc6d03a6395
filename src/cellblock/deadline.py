"""One deadline for all the steps of a call."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Deadline", "checked_timeout"]


class Deadline:
    """A moment on the running event loop's clock, handed down so that each step gets the time that is left.

    Args:
        timeout: Seconds from now; None for no deadline.
    """

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._loop = asyncio.get_running_loop()
        self.started = self._loop.time()
        self.at = math.inf if timeout is None else self.started + timeout

    @property
    def elapsed(self) -> float:
        """Seconds since the call."""
        return self._loop.time() - self.started

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self._loop.time() >= self.at

    @property
    def when(self) -> float | None:
        """The moment as ``asyncio.timeout_at`` takes it."""
        return None if math.isinf(self.at) else self.at

    @property
    def left(self) -> float | None:
        """Seconds that are left; None for ever."""
        return None if math.isinf(self.at) else self.at - self._loop.time()

    @contextlib.asynccontextmanager
    async def enforced(self, what: str) -> AsyncIterator[None]:
        """Ends what is done within when no time is left.

        Args:
            what: What has not happened then, as the beginning of a sentence.

        Raises:
            TimeoutError: With that sentence.
        """
        limit = asyncio.timeout_at(self.when)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(f"{what} within {self.timeout:g} s.") from None


def checked_timeout(timeout: float | None) -> float | None:
    """The timeout itself if it can be used.

    Args:
        timeout: Seconds, or None for none.

    Raises:
        ConfigError: It is not a positive number.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0 or math.isinf(timeout):
        raise ConfigError(f"The timeout must be a positive number of seconds, or None for none; it was {timeout!r}.")
    return float(timeout)
