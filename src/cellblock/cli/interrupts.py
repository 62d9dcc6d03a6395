"""Ctrl-C while cells run."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellblock.session import AsyncSession

__all__ = ["Interrupts", "ctrl_c_interrupts"]


@dataclass(slots=True)
class Interrupts:
    """The Ctrl-C that were pressed."""

    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def pressed(self) -> bool:
        """Whether one was pressed while a cell was running."""
        return bool(self.tasks)


@contextmanager
def ctrl_c_interrupts(session: AsyncSession) -> Iterator[Interrupts]:
    """Within it, Ctrl-C interrupts the running cell, which then ends as interrupted or as it likes.

    Where no cell is running, and at the second Ctrl-C, the current task is cancelled; leaving with CancelledError makes
    the task as if that had not been.

    Args:
        session: Runs the cells.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    interrupts = Interrupts()

    def interrupt() -> None:
        if session.status == "busy" and not interrupts.tasks:
            interrupts.tasks.append(loop.create_task(session.interrupt()))
        else:
            task.cancel()

    before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(interrupt))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
        while task.cancelling():
            task.uncancel()
