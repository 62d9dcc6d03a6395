"""Ways to bring a kernel's process into being.

Kernels of ipykernel on POSIX get their sockets handed over as file descriptors that already listen (see ``handover``).
Other kernels, and all on Windows, get the standard connection file and tcp ports.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cellblock.errors import KernelStartError
from cellblock.kernels.forkserver.rules import is_own
from cellblock.kernels.handover import CHANNELS, handover, runtime_folder
from cellblock.kernels.process import KernelProcess, open_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from cellblock.kernels.kernelspec import KernelSpec
    from cellblock.kernels.process import LocalProcess
    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.transports.zmq import ZmqTransport

__all__ = [
    "PROGRAM",
    "ConnectionFileLauncher",
    "DescriptorLauncher",
    "Launcher",
    "filled_pipe",
    "launcher_for",
    "lifeline_pipe",
    "working_directory",
]

PROGRAM = Path(__file__).with_name("kernel_program")
"""The folder of what runs in a kernel's interpreter."""


class Launcher(Protocol):
    """Starts kernel processes one way.

    Attributes:
        greets: Whether its kernels send a message to each new subscriber, so that readiness need not be asked for.
    """

    greets: bool

    def launch(
        self, spec: KernelSpec, cwd: str | None, env: Mapping[str, str]
    ) -> contextlib.AbstractAsyncContextManager[tuple[LocalProcess, ZmqTransport]]:
        """A kernel's process and the transport to it. What was only needed to start is removed on leaving.

        Args:
            spec: What to start.
            cwd: The kernel's working directory; None for the caller's.
            env: Environment variables to set beside those that the launcher's kernels have anyway.

        Raises:
            KernelStartError: The command cannot be run.
        """

    def close(self) -> None:
        """Removes what was kept from one kernel to the next; called when the last has ended, perhaps more than once."""


def launcher_for(spec: KernelSpec, sandbox: Sandbox | None = None) -> Launcher:
    """The best way here to start kernels of a kernelspec.

    Args:
        spec: What to start.
        sandbox: What confines them, if anything does.
    """
    if sandbox is not None:
        from cellblock.kernels.sandbox.launcher import SandboxLauncher

        return SandboxLauncher(sandbox)
    # Another interpreter's ipykernel may be older than our kernel program needs.
    if sys.platform == "win32" or not (spec.runs_ipykernel and is_own(spec.interpreter)):
        return ConnectionFileLauncher()
    if sys.platform != "linux":
        return DescriptorLauncher()
    from cellblock.kernels.forkserver.launcher import ForkLauncher

    return ForkLauncher()


class DescriptorLauncher:
    """Hands listening sockets to ipykernel (POSIX)."""

    greets = True

    @contextlib.asynccontextmanager
    async def launch(
        self, spec: KernelSpec, cwd: str | None, env: Mapping[str, str]
    ) -> AsyncIterator[tuple[LocalProcess, ZmqTransport]]:
        """Starts the kernel. See ``Launcher``."""
        directory = working_directory(cwd)
        with handover() as given, lifeline_pipe() as (lifeline, kept):
            config_fd = filled_pipe(json.dumps({**given.config, "lifeline": lifeline}).encode())
            try:
                process = KernelProcess(
                    [spec.interpreter, "-Xfrozen_modules=off", str(PROGRAM), str(config_fd)],
                    cwd=directory,
                    env={**os.environ, **env},
                    pass_fds=(*given.descriptors, config_fd, lifeline),
                    log=given.log,
                    memory=given.memory,
                    lifeline=kept.pop(),
                )
            finally:
                os.close(config_fd)
            yield process, given.transport()

    def close(self) -> None:
        """There is nothing to remove."""


class ConnectionFileLauncher:
    """Writes the connection file that every Jupyter kernel reads."""

    greets = False

    @contextlib.asynccontextmanager
    async def launch(
        self, spec: KernelSpec, cwd: str | None, env: Mapping[str, str]
    ) -> AsyncIterator[tuple[LocalProcess, ZmqTransport]]:
        """Starts the kernel. See ``Launcher``."""
        from jupyter_client.connect import write_connection_file

        from cellblock.transports.zmq import ZmqTransport

        directory = working_directory(cwd)
        with runtime_folder() as folder, lifeline_pipe() as (lifeline, kept):
            key = secrets.token_hex(32).encode()
            file, info = write_connection_file(str(folder / "kernel.json"), key=key, transport="tcp", ip="127.0.0.1")
            argv = spec.command(file)
            if sys.platform != "win32":
                argv = [sys.executable, str(PROGRAM / "guard.py"), str(lifeline), *argv]
            process = KernelProcess(
                argv,
                cwd=directory,
                env={**os.environ, **env},
                pass_fds=() if sys.platform == "win32" else (lifeline,),
                log=open_log(),
                lifeline=kept.pop(),
            )
            yield process, ZmqTransport({c: f"tcp://127.0.0.1:{info[f'{c}_port']}" for c in CHANNELS}, key)

    def close(self) -> None:
        """There is nothing to remove."""


def working_directory(cwd: str | None) -> str:
    """The path of the directory that a kernel is to run in.

    Args:
        cwd: What was asked for; None for the caller's.

    Raises:
        KernelStartError: The caller's is wanted and is gone.
    """
    try:
        return str(Path(cwd or ".").absolute())
    except FileNotFoundError:
        raise KernelStartError(
            "A kernel was wanted in the working directory of this process, which has been removed. "
            "Change to another, or give the kernel one with cwd."
        ) from None


@contextlib.contextmanager
def lifeline_pipe() -> Iterator[tuple[int, list[int]]]:
    """A pipe: the kernel's end, closed here afterwards, and in a list the owner's end, closed unless it was taken out."""
    reading, writing = os.pipe()
    kept = [writing]
    try:
        yield reading, kept
    finally:
        os.close(reading)
        for descriptor in kept:
            os.close(descriptor)


def filled_pipe(data: bytes) -> int:
    """The reading end of a pipe that holds some bytes and ends after them.

    Args:
        data: At most what a pipe takes without a reader, 64 KiB on Linux.
    """
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(data)
    return reading
