"""Waiting for a descriptor without an event loop (POSIX)."""

from __future__ import annotations

import select
from typing import Protocol

__all__ = ["is_readable"]


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


def is_readable(what: int | _HasDescriptor, within: float | None = 0.0) -> bool:
    """Whether there is something to read, or an end to see. Any number of descriptors may be open, unlike with select(2).

    Args:
        what: The descriptor.
        within: Seconds to wait for it; None waits for ever.
    """
    poll = select.poll()
    poll.register(what, select.POLLIN)
    return bool(poll.poll(None if within is None else 1000 * within))
