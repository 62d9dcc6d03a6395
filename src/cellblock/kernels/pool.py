"""Kernels made ready ahead of their use, each given out once."""

from __future__ import annotations

import contextlib
import errno
import functools
from typing import TYPE_CHECKING, Any, Self

from cellblock._core.pool_arguments import checked_pool
from cellblock.errors import ConfigError, KernelStartError
from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.forkserver.fork import ForkServerFailed, surroundings
from cellblock.kernels.forkserver.launcher import ForkLauncher
from cellblock.kernels.forkserver.rules import why_no_spare, why_not_forked
from cellblock.kernels.forkserver.spare import Spare
from cellblock.kernels.forkserver.spares import Spares
from cellblock.kernels.kernelspec import find_kernelspec
from cellblock.kernels.local import LocalKernel

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from cellblock.kernels.forkserver.client import ForkServer
    from cellblock.kernels.kernelspec import KernelSpec
    from cellblock.kernels.launch import Launcher
    from cellblock.kernels.process import LocalProcess
    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.kernels.sandbox.spare import SandboxedSpare
    from cellblock.transports.zmq import ZmqTransport

__all__ = ["KernelPool"]

_KERNEL = "python3"
_IMPORT_TIMEOUT = 120.0  # seconds


class KernelPool:
    """Kernels that wait, ready, for the sessions that will use them.

    A session gets a kernel that nobody has used, in its own working directory and environment, in milliseconds; another
    takes its place. When none waits, one is forked, which takes a little longer. Where kernels cannot be forked (other
    systems than Linux, or a kernelspec "python3" that is not this interpreter's ipykernel; see ``why_not``) the pool keeps
    none, and its kernels start when they are wanted.

    Use it as ``with KernelPool(4, preload=["pandas"]) as pool``, or call ``close()``. It may be used from any thread and any
    event loop.

    Args:
        size: How many kernels wait, at most. With 0 each is forked when it is wanted.
        preload: Packages that are imported in them already, such as "numpy", "pandas", "matplotlib". Each is tried first;
            the constructor waits for that.
        sandbox: What confines them; each has a sandbox of its own, and a workspace of its own if the sandbox names none.

    Attributes:
        why_not: Why the pool keeps no kernels, in a sentence; None if it does.

    Raises:
        ConfigError: The size is no number of kernels, or a package must not be preloaded; the message says why.
        KernelStartError: This process may not open as many files as so many kernels need.
    """

    def __init__(self, size: int, *, preload: Sequence[str] = (), sandbox: Sandbox | None = None) -> None:
        checked_pool(size, preload)
        preload = tuple(preload)
        self._spares: Spares[Any]
        self._launcher: Callable[[], Launcher]
        server: Callable[[], ForkServer]
        spec = find_kernelspec(_KERNEL)
        if sandbox is None:
            self._spares = Spares(size, functools.partial(_spare, preload))
            self._launcher = functools.partial(_PoolLauncher, self._spares, preload)
            server = functools.partial(fork_server, preload)
            self.why_not = why_not_forked(spec, env=spec.env, preload=preload)
        else:
            from cellblock.kernels.sandbox.launcher import SandboxLauncher

            self._spares = Spares(size, functools.partial(_sandboxed_spare, sandbox, preload))
            self._launcher = functools.partial(SandboxLauncher, sandbox, preload, self._spares)
            model = SandboxLauncher(sandbox, preload)
            server = model.fork_server
            self.why_not = model.why_not_forked(spec)
        if self.why_not is None:
            if preload:
                server().wait_until_ready(_IMPORT_TIMEOUT)
            self._fill(size)

    def _fill(self, size: int) -> None:
        try:
            self._spares.fill()
        except OSError as error:
            self._spares.close()
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            raise KernelStartError(
                f"A pool of {size} kernels was wanted, but only some could be made: {error.strerror}. "
                "Make the pool smaller, or allow this process more open files (`ulimit -n`)."
            ) from error

    @property
    def waiting(self) -> int:
        """How many kernels wait to be given out."""
        return len(self._spares)

    def kernel(self, *, cwd: str | os.PathLike[str] | None = None, env: Mapping[str, str] | None = None) -> LocalKernel:
        """A kernel for one session, as ``Session(pool.kernel())``. Each start and restart takes a fresh one from the pool.

        Args:
            cwd: Its working directory; the caller's if not given.
            env: Environment variables set in it beside the caller's.

        Raises:
            ConfigError: ``cwd`` is no directory, or the pool is closed.
        """
        if self._spares.closed:
            raise ConfigError("The pool of kernels is closed. Make a new one.")
        return LocalKernel(_KERNEL, cwd=cwd, env=env, launcher=self._launcher())

    def close(self) -> None:
        """Ends the kernels that wait; those that were given out go on. May be called more than once."""
        self._spares.close()

    def __enter__(self) -> Self:
        """Gives the pool itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes it."""
        self.close()


def _spare(preload: Sequence[str]) -> Spare:
    return Spare(fork_server(preload))


def _sandboxed_spare(sandbox: Sandbox, preload: Sequence[str]) -> SandboxedSpare:
    from cellblock.kernels.sandbox.launcher import SandboxLauncher
    from cellblock.kernels.sandbox.spare import SandboxedSpare

    return SandboxedSpare(SandboxLauncher(sandbox, preload), find_kernelspec(_KERNEL))


class _PoolLauncher:
    """Gives out what waits in a pool, and forks where that does not suit."""

    greets = True

    def __init__(self, spares: Spares[Spare], preload: Sequence[str]) -> None:
        self._spares = spares
        self._fork = ForkLauncher(preload)
        self._preload = preload

    @contextlib.asynccontextmanager
    async def launch(
        self, spec: KernelSpec, cwd: str | None, env: Mapping[str, str]
    ) -> AsyncIterator[tuple[LocalProcess, ZmqTransport]]:
        """Gives the kernel. See ``Launcher``."""
        if (why_not_forked(spec, env=env, preload=self._preload) or why_no_spare(env)) is None:
            while (spare := self._spares.take()) is not None:
                with contextlib.closing(spare):
                    try:
                        taken = await spare.take(surroundings(cwd, env))
                    except ForkServerFailed:
                        continue
                    yield taken
                    return
        async with self._fork.launch(spec, cwd, env) as forked:
            yield forked

    def close(self) -> None:
        """There is nothing to remove: the pool stays for the next kernel."""
