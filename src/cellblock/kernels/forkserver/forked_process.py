"""A forked kernel's process, watched to its end by an event loop."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from cellblock.kernels.process import LocalProcess

if TYPE_CHECKING:
    from cellblock.kernels.forkserver.fork import Fork

__all__ = ["ForkedProcess"]


class ForkedProcess(LocalProcess):
    """A forked kernel's process. Made inside the event loop that will watch it.

    Its parent, the fork server, says how it ended. Should the server be gone, the process goes on, and its end is seen all
    the same, though not how it came.

    Args:
        fork: The process, which has said its ``pid``.
        pid: What it said.
        log: As for ``LocalProcess``.
        memory: As for ``LocalProcess``.
        lifeline: As for ``LocalProcess``.
    """

    def __init__(self, fork: Fork, pid: int, *, log: IO[bytes], memory: IO[bytes] | None, lifeline: int) -> None:
        super().__init__(log=log, memory=memory, lifeline=lifeline)
        self.pid = pid
        self._fork = fork
        self._pidfd = os.pidfd_open(pid)
        self._loop.add_reader(fork.channel, self._on_message)
        self._loop.call_soon(self._on_message)  # something may have been read already

    def let_go(self) -> None:
        """In a forked child: leaves the kernel to the owner."""
        super().let_go()
        self._fork.close()

    def _signal(self, number: int) -> None:
        if not self._fork.over:
            super()._signal(number)

    def _on_message(self) -> None:
        if self.ended.done() or not self._fork.follow():
            return
        self._loop.remove_reader(self._fork.channel)
        self._fork.close()
        if self._fork.over:
            self._on_end()
        else:
            self._loop.add_reader(self._pidfd, self._on_end)

    def _on_end(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._resolve(self._fork.returncode)
