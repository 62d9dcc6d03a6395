"""``python -m benchmarks.soak``: kernels started, used and stopped, by the thousand, and what is left of them: nothing.

Half of them are forked when they are wanted, half have waited in a pool; with ``--server`` all are those of a local server
with a pool. After the first tenth, and at each tenth after that, it looks at what this process and those it started hold.
The exit status is 1 if anything grew.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from cellblock import AsyncSession, KernelPool
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.local import LocalJupyterServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock.kernels import Kernel

_FORK_SERVER = "cellblock-forks"
_POOL = 2
_TENTHS = 10
_SETTLES_WITHIN = 10.0  # seconds in which what was told to end must have ended, and the pool must be full again
_MEMORY_ONCE = 6.0  # megabytes by which an allocator may grow in any run
_MEMORY_EACH = 0.001  # megabytes by which it may grow with each kernel
_MEMORY_OF_CONNECTIONS = 40.0  # megabytes: for a minute Jupyter Server keeps what it knew of a connection


@dataclass(frozen=True, slots=True)
class Held:
    """What is held at one time.

    Attributes:
        processes: That this one has started, and those that they have.
        threads: Of this process.
        descriptors: Open in this process and in those it started, but for kernels.
        files: In the folder for temporary files, folders and sockets included.
        memory: Megabytes of this process.
        servers: Megabytes of the fork servers and the Jupyter server.
        jupyter_servers: How many of the latter there are.
    """

    processes: int
    threads: int
    descriptors: int
    files: int
    memory: float
    servers: float
    jupyter_servers: int

    def grown(self, since: Held, kernels: int) -> list[str]:
        """What is more than it was, in words.

        Args:
            since: What was held before.
            kernels: How many there have been in between.
        """
        memory = _MEMORY_ONCE + _MEMORY_EACH * kernels
        allowed = {"memory": memory, "servers": memory + _MEMORY_OF_CONNECTIONS * self.jupyter_servers}
        pairs = [(field.name, getattr(since, field.name), getattr(self, field.name)) for field in fields(self)]
        return [f"{name}: {then:g}, now {now:g}" for name, then, now in pairs if now > then + allowed.get(name, 0)]


def main() -> int:
    """Gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--kernels", type=int, default=2000, metavar="NUMBER", help="how many; 2000 if not given")
    parser.add_argument("--at-once", type=int, default=4, metavar="NUMBER", help="how many at a time")
    parser.add_argument("--server", action="store_true", help="use the kernels of a local server")
    arguments = parser.parse_args()
    with ExitStack() as kept:
        folder = kept.enter_context(tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True))
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        make = _server_kernels(kept) if arguments.server else _own_kernels(kept)
        grown = asyncio.run(_soak(make, arguments.kernels, arguments.at_once))
    print("\n".join(f"GROWN  {line}" for line in grown) or "Nothing grew.")
    return 1 if grown else 0


def _own_kernels(kept: ExitStack) -> Callable[[int], Kernel]:
    pool = kept.enter_context(KernelPool(_POOL))
    return lambda number: pool.kernel() if number % 2 else LocalKernel()


def _server_kernels(kept: ExitStack) -> Callable[[int], Kernel]:
    # Its log, of a few lines a kernel, would be rotated in a long run, which makes files.
    server = kept.enter_context(LocalJupyterServer(pool=_POOL, log_level="WARNING"))
    return lambda _: RemoteKernel(server.connection_info)


async def _soak(make: Callable[[int], Kernel], kernels: int, at_once: int) -> list[str]:
    """What has grown at the end, in words."""
    room = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with room, AsyncSession(make(number), timeout=60) as session:
            result = await session.run(f"import json\nprint('x' * 1000)\n{number} * 2")
            assert result.text.endswith(f"{number * 2}"), result

    began = time.monotonic()
    first = last = None
    print(f"{'kernels':>8} {'seconds':>8} ", *(f"{field.name:>15}" for field in fields(Held)))
    for tenth in range(_TENTHS):
        numbers = range(kernels * tenth // _TENTHS, kernels * (tenth + 1) // _TENTHS)
        await asyncio.gather(*map(one, numbers))
        last = await _settled(first)
        first = first or last
        shown = (f"{value:>15.1f}" if isinstance(value, float) else f"{value:>15}" for value in asdict(last).values())
        print(f"{numbers.stop:>8} {time.monotonic() - began:>8.1f} ", *shown, flush=True)
    assert first is not None
    assert last is not None
    return last.grown(first, kernels)


async def _settled(before: Held | None) -> Held:
    """What is held once what has been told to end has ended."""
    until = time.monotonic() + _SETTLES_WITHIN
    held = _held()
    while time.monotonic() < until:
        await asyncio.sleep(0.5)
        earlier, held = held, _held()
        steady = (earlier.processes, earlier.descriptors) == (held.processes, held.descriptors)
        if steady and (before is None or not held.grown(before, 0)):
            break
    return held


def _held() -> Held:
    me = psutil.Process()
    started = me.children(recursive=True)
    servers = [process for process in started if _serves(process)]
    return Held(
        processes=len(started),
        threads=threading.active_count(),
        descriptors=me.num_fds() + sum(process.num_fds() for process in servers),
        files=sum(1 for _ in Path(tempfile.gettempdir()).rglob("*")),
        memory=me.memory_info().rss / 2**20,
        servers=sum(process.memory_info().rss for process in servers) / 2**20,
        jupyter_servers=sum(process.name() != _FORK_SERVER for process in servers),
    )


def _serves(process: psutil.Process) -> bool:
    """Whether it is no kernel: a fork server, by its name, or a Jupyter server, by its program."""
    try:
        return process.name() == _FORK_SERVER or any("local_server_main" in word for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    sys.exit(main())
