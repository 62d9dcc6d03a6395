"""A kernel that has made itself ready and waits to be given out."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from cellblock.kernels.forkserver.forked_process import ForkedProcess
from cellblock.kernels.forkserver.spare_process import SpareProcess
from cellblock.kernels.handover import TakenCount, handover
from cellblock.kernels.process import let_go_in_children

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock._core.messages import Channel
    from cellblock.kernels.forkserver.client import ForkServer
    from cellblock.transports.zmq import ZmqTransport

__all__ = ["Spare"]


class Spare:
    """One kernel, for whoever takes it. Belongs to no event loop.

    Nothing of it is in the file system while it waits: its sockets are reached by descriptors that name them
    (open(2), ``O_PATH``).

    Args:
        server: Forks it.

    Raises:
        ForkServerBusy: The server has too many requests.
        ForkServerFailed: It is gone.
    """

    def __init__(self, server: ForkServer) -> None:
        self._sockets: dict[Channel, int] = {}
        with handover() as given, contextlib.ExitStack() as opened:
            self._key, self._log, self._memory = given.key, given.log, given.memory
            with contextlib.ExitStack() as unused:
                unused.callback(self._log.close)
                unused.callback(self._memory.close)
                for channel in given.sockets:
                    self._sockets[channel] = os.open(given.folder / channel, os.O_PATH | os.O_CLOEXEC)
                    opened.callback(os.close, self._sockets[channel])
                self._process = SpareProcess(server, given)
                unused.pop_all()
            self._names = opened.pop_all()
        let_go_in_children(self)

    async def take(self, where: Mapping[str, Any]) -> tuple[ForkedProcess, ZmqTransport]:
        """The process, told where it is to run, and the transport to it, both of the running event loop.

        Call ``close`` once something has come through the transport.

        Args:
            where: See ``surroundings``.

        Raises:
            ForkServerFailed: It is dead, or what it has imported has changed.
        """
        fork, pid, lifeline = await self._process.take(where)
        from cellblock.transports.zmq import ZmqTransport

        process = ForkedProcess(fork, pid, log=self._log, memory=self._memory, lifeline=lifeline)
        endpoints = {channel: f"ipc:///proc/self/fd/{descriptor}" for channel, descriptor in self._sockets.items()}
        return process, ZmqTransport(endpoints, self._key.encode(), taken=TakenCount(self._memory.fileno()))

    def kill(self) -> None:
        """Ends the process, unless it was taken."""
        self._process.kill()

    def close(self, *, wait: float = 0.0) -> None:
        """Ends the process, unless it was taken, and lets go of what is not needed once the owner is connected.

        May be called more than once.

        Args:
            wait: Seconds the process may take to be gone.
        """
        self._names.close()
        if self._process.close(wait=wait):
            self._log.close()
            self._memory.close()

    def let_go(self) -> None:
        """In a forked child: leaves the kernel to the owner."""
        self.close()
