"""A sandboxed kernel that has made itself ready and waits to be given out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from cellblock.background import background_loop, in_thread
from cellblock.errors import CellblockError
from cellblock.kernels.forkserver.fork import ForkServerFailed
from cellblock.kernels.handover import TakenCount, handover
from cellblock.kernels.process import let_go_in_children
from cellblock.kernels.sandbox import layout
from cellblock.kernels.sandbox.join import where

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock._core.messages import Channel
    from cellblock.kernels.kernelspec import KernelSpec
    from cellblock.kernels.sandbox.joined_process import JoinedProcess
    from cellblock.kernels.sandbox.launcher import SandboxLauncher
    from cellblock.transports.zmq import ZmqTransport

__all__ = ["SandboxedSpare"]


class SandboxedSpare:
    """One kernel, for whoever takes it, whose sandbox is being built in the background. Belongs to no event loop.

    As of other spares, nothing of its sockets is in the file system while it waits.

    Args:
        launcher: Starts it; its workspace goes with it.
        spec: What to start.

    Attributes:
        launcher: See above.
    """

    def __init__(self, launcher: SandboxLauncher, spec: KernelSpec) -> None:
        self.launcher = launcher
        self._spec = spec
        self._names = contextlib.ExitStack()
        self._sockets: dict[Channel, int] = {}
        self._key = ""
        self._process: JoinedProcess | None = None
        self._environment: dict[str, str] = {}
        self._lock = threading.Lock()
        self._taken = self._unwanted = False
        self._count: TakenCount | None = None
        # Awaited in any loop, and also when the interpreter starts no more threads.
        self._built: Future[None] = Future()
        self._gone = threading.Event()
        let_go_in_children(self)
        background_loop().submit_from_anywhere(self._build())

    async def take(self, env: Mapping[str, str]) -> tuple[JoinedProcess, ZmqTransport]:
        """The process, where it is to run, and the transport to it, both of the running event loop.

        Call ``close`` once something has come through the transport.

        Args:
            env: Environment variables beside those it has.

        Raises:
            ForkServerFailed: It could not be made, or is dead.
        """
        from cellblock.transports.zmq import ZmqTransport

        await self._end_of_building()
        with self._lock:
            process = self._process
            if process is None or self._unwanted:
                raise ForkServerFailed("it could not be made")
        await process.move_here()
        self._taken = True
        try:
            await process.settle(where(layout.WORKSPACE, {**self._environment, **env}))
        except BaseException as error:
            await process.gone(0)
            await in_thread(self.launcher.close, lambda _: None)
            if isinstance(error, CellblockError):
                raise ForkServerFailed(str(error)) from error
            raise
        endpoints = {channel: f"ipc:///proc/self/fd/{descriptor}" for channel, descriptor in self._sockets.items()}
        count, self._count = self._count, None
        return process, ZmqTransport(endpoints, self._key.encode(), taken=count)

    def kill(self) -> None:
        """Ends the process, unless it was taken."""
        with self._lock:
            if self._taken or self._unwanted:
                return
            self._unwanted = True
        background_loop().submit_from_anywhere(self._dispose())

    def close(self, *, wait: float = 0.0) -> None:
        """Ends the process, unless it was taken, and lets go of what is not needed once the owner is connected.

        May be called more than once.

        Args:
            wait: Seconds the process may take to be gone.
        """
        self.kill()
        self._names.close()
        if wait and self._unwanted and not background_loop().is_here:  # where a garbage collection may drop a pool
            self._gone.wait(wait)

    def let_go(self) -> None:
        """In a forked child: leaves the kernel to the owner."""
        self._names.close()
        self._taken = True

    async def _build(self) -> None:
        try:
            with handover() as given:
                for channel in given.sockets:
                    self._sockets[channel] = os.open(given.folder / channel, os.O_PATH | os.O_CLOEXEC)
                    self._names.callback(os.close, self._sockets[channel])
                self._key = given.key
                self._count = TakenCount(given.memory.fileno())  # whose own descriptor the process takes along
                self._process, self._environment = await self.launcher.start_spare(self._spec, given)
        except (CellblockError, ForkServerFailed, OSError):
            pass  # whoever wants it will ask for another way, and be told
        finally:
            self._built.set_result(None)

    async def _end_of_building(self) -> None:
        await asyncio.shield(asyncio.wrap_future(self._built))  # a cancelled waiter must not cancel it for others

    async def _dispose(self) -> None:
        try:
            await self._end_of_building()
            if self._process is not None:
                await self._process.gone(0)
            if self._count is not None:
                self._count.close()
            self.launcher.close()  # quickly done: no code has run in its workspace
        finally:
            self._names.close()
            self._gone.set()
