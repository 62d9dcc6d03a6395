"""A process that has made itself ready to be a kernel and waits, whoever will connect to it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cellblock.errors import KernelStartError
from cellblock.kernels.forkserver.fork import Fork, ForkServerBusy, ForkServerFailed, named_descriptors
from cellblock.kernels.launch import lifeline_pipe
from cellblock.kernels.process import let_go_in_children

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock.kernels.forkserver.client import ForkServer
    from cellblock.kernels.handover import Handover

__all__ = ["SpareProcess"]


class SpareProcess:
    """A forked process, for whoever takes it. Belongs to no event loop.

    Args:
        server: Forks it.
        given: What it gets; closing that is the caller's.

    Raises:
        ForkServerBusy: The server has too many requests.
        ForkServerFailed: It is gone.
    """

    def __init__(self, server: ForkServer, given: Handover) -> None:
        with lifeline_pipe() as (lifeline, kept):
            self._fork = Fork(named_descriptors(given, lifeline), {"key": given.key}, spare=True)
            self._lifeline: int | None = kept.pop()
            self._taken = self._closed = False
            let_go_in_children(self)
            try:
                if not self._fork.ask(server):
                    raise ForkServerBusy("it has too many requests")
            except ForkServerFailed:
                self.close()
                raise

    async def take(self, where: Mapping[str, Any]) -> tuple[Fork, int, int]:
        """The process, its id, and the owner's end of its lifeline: all of it the caller's.

        Args:
            where: See ``surroundings``.

        Raises:
            ForkServerFailed: It is dead or was never there, or what it has imported has changed.
        """
        try:
            pid = await self._fork.hear("pid")
        except KernelStartError as error:
            raise ForkServerFailed(str(error)) from error
        if pid is None or await self._fork.hear("ready") is None:
            raise ForkServerFailed("it ended while it waited")
        await self._fork.settle(where)
        lifeline, self._lifeline = self._lifeline, None
        assert lifeline is not None
        self._taken = True
        return self._fork, pid, lifeline

    def kill(self) -> None:
        """Ends it, unless it was taken."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def close(self, *, wait: float = 0.0) -> bool:
        """Ends it, and tells whether it did: not what was taken, which belongs to somebody else. May be called more than once.

        Args:
            wait: Seconds it may take to be gone.
        """
        self.kill()
        if self._taken:
            return False
        if wait and not self._closed:
            self._fork.wait(wait)
        self._closed = True
        self._fork.close()
        return True

    def let_go(self) -> None:
        """In a forked child: leaves it to the owner."""
        self.close()
