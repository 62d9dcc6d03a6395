"""Forking kernels, and starting those that a fork would not give what they ask for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.forkserver.fork import ForkServerFailed, fork_kernel, named_descriptors, surroundings
from cellblock.kernels.forkserver.forked_process import ForkedProcess
from cellblock.kernels.forkserver.rules import why_not_forked
from cellblock.kernels.handover import handover
from cellblock.kernels.launch import DescriptorLauncher, lifeline_pipe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from cellblock.kernels.handover import Handover
    from cellblock.kernels.kernelspec import KernelSpec
    from cellblock.kernels.process import LocalProcess
    from cellblock.transports.zmq import ZmqTransport

__all__ = ["ForkLauncher"]


class ForkLauncher:
    """Forks ipykernel from a process of this one that has imported it (Linux).

    Args:
        preload: Packages that the process has imported, too.
    """

    greets = True

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self._preload = tuple(preload)
        self._plain = DescriptorLauncher()

    @contextlib.asynccontextmanager
    async def launch(
        self, spec: KernelSpec, cwd: str | None, env: Mapping[str, str]
    ) -> AsyncIterator[tuple[LocalProcess, ZmqTransport]]:
        """Forks the kernel, or starts it where that is not the same. See ``Launcher``."""
        if why_not_forked(spec, env=env, preload=self._preload) is None:
            fork_server(self._preload)  # a first one begins while the rest is made
            where = surroundings(cwd, env)
            with handover() as given, lifeline_pipe() as (lifeline, kept):
                process = await self._fork(given, lifeline, kept, where)
                if process is not None:
                    yield process, given.transport()
                    return
        async with self._plain.launch(spec, cwd, env) as started:
            yield started

    def close(self) -> None:
        """There is nothing to remove: the server stays for the next kernel of this process."""

    async def _fork(
        self, given: Handover, lifeline: int, kept: list[int], where: Mapping[str, Any]
    ) -> ForkedProcess | None:
        """The kernel's process; None if no fork server can be had."""
        with contextlib.ExitStack() as unused:
            unused.callback(given.log.close)
            unused.callback(given.memory.close)
            try:
                descriptors = named_descriptors(given, lifeline)
                fork, pid = await fork_kernel(self._preload, descriptors, {"key": given.key}, where)
            except ForkServerFailed:
                return None
            unused.pop_all()
        return ForkedProcess(fork, pid, log=given.log, memory=given.memory, lifeline=kept.pop())
