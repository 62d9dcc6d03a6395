"""How a local Jupyter server of ours starts its kernels: as this process starts its own, on sockets that listen already.

``servers/local_server_main`` names these classes to Jupyter Server. What they do beyond the stock ones: kernels are forked
where that is the same as starting them, perhaps before they are asked for, run ``kernel_program``, listen in a private
folder, and end when their server does, however it ends. POSIX only.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jupyter_client.provisioning import LocalProvisioner
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from tornado.ioloop import IOLoop
from traitlets import Integer, List, Unicode, default

from cellblock._core import last_words
from cellblock.errors import KernelStartError
from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.forkserver.fork import ForkServerFailed, fork_kernel, named_descriptors, surroundings
from cellblock.kernels.forkserver.polled_process import PolledProcess
from cellblock.kernels.forkserver.rules import why_no_spare, why_not_set_later
from cellblock.kernels.forkserver.spares import Spares
from cellblock.kernels.handover import CHANNELS
from cellblock.kernels.launch import PROGRAM, filled_pipe, lifeline_pipe
from cellblock.kernels.server_spare import ServerSpare, server_handover

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock._core.messages import Channel
    from cellblock.kernels.handover import Handover

__all__ = ["HandoverProvisioner", "Kernels", "OneKernel"]

_IMPORT_TIMEOUT = 120.0  # seconds for the packages to preload


class Kernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """The kernels of the server. The process they are forked from begins with it, so that the first need not wait.

    Attributes:
        spares: Those that wait to be used.

    Raises:
        ConfigError: A package must not be preloaded; the message says why.
    """

    pool = Integer(0, help="How many kernels wait to be used.").tag(config=True)
    preload = List(Unicode(), help="Packages that kernels have imported already when they start.").tag(config=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        make = functools.partial(ServerSpare, tuple(self.preload), Path(self.connection_dir))
        self.spares = Spares(self.pool, make)
        if sys.platform == "linux":
            server = fork_server(self.preload)
            if self.preload:
                server.wait_until_ready(_IMPORT_TIMEOUT)
            IOLoop.current().add_callback(self.spares.fill)  # once the server's own streams are its log


class OneKernel(ServerKernelManager):  # type: ignore[misc]
    """One kernel of the server."""

    kernel_id: str | None
    provisioner: Any

    @default("ip")  # type: ignore[untyped-decorator]
    def _default_ip(self) -> str:
        return str(Path(self.parent.connection_dir) / secrets.token_hex(4))  # a socket's path must be short

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None and "kernel_provisioner" not in self.kernel_spec.metadata:
            self.kernel_id = self.kernel_id or options.get("kernel_id")
            self.provisioner = HandoverProvisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
            self.provisioner.kernels = self.parent
        prepared: tuple[list[str], dict[str, Any]] = await super()._async_pre_start_kernel(**options)
        return prepared

    def emit(self, schema_id: str, data: Mapping[str, Any]) -> None:
        """Tells nobody: nobody listens to events, and to check one takes longer than to fork a kernel.

        Args:
            schema_id: What the event would be checked with.
            data: The event.
        """

    @property
    def greets(self) -> bool:
        """Whether the kernel sends a message to each new subscriber."""
        return isinstance(self.provisioner, HandoverProvisioner) and self.provisioner.greets

    def last_words(self) -> bytes:
        """What the kernel wrote last, as ``cellblock._core.last_words`` reads it; empty if nobody kept it."""
        return self.provisioner.last_words() if isinstance(self.provisioner, HandoverProvisioner) else b""


class HandoverProvisioner(LocalProvisioner):  # type: ignore[misc]
    """Starts one kernel process after the other for a ``OneKernel``.

    Attributes:
        kernels: All of the server.
        greets: See ``OneKernel``.
    """

    kernels: Kernels
    greets = False
    process: Any
    _lifeline: int | None = None
    _memory: IO[bytes] | None = None

    def last_words(self) -> bytes:
        """See ``OneKernel``."""
        return b"" if self._memory is None else os.pread(self._memory.fileno(), last_words.SIZE, 0)

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Forks or starts the kernel, and gives its connection information.

        Args:
            cmd: The kernelspec's command.
            **options: As for ``subprocess.Popen``.
        """
        self._let_go()
        ours = self.greets = cmd[:3] == [sys.executable, "-m", "ipykernel_launcher"]
        if ours and await self._from_spare(options):
            return self.connection_info
        with lifeline_pipe() as (lifeline, kept), contextlib.ExitStack() as opened:
            if not ours:
                cmd = [sys.executable, str(PROGRAM / "guard.py"), str(lifeline), *cmd]
                await super().launch_kernel(cmd, **options, pass_fds=(lifeline,))
            else:
                given = server_handover(self._paths(), self.parent.session.key.decode(), opened)
                self._memory = given.memory
                if not await self._forked(given, lifeline, options):
                    config_fd = filled_pipe(json.dumps({**given.config, "lifeline": lifeline}).encode())
                    opened.callback(os.close, config_fd)
                    cmd = [sys.executable, "-Xfrozen_modules=off", str(PROGRAM), str(config_fd)]
                    passed = (*given.descriptors, config_fd, lifeline)
                    await super().launch_kernel(cmd, **options, pass_fds=passed)
            self._lifeline = kept.pop()
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """Lets go of the kernel.

        Args:
            restart: Whether another follows.
        """
        self._let_go()
        await super().cleanup(restart)

    async def _forked(self, given: Handover, lifeline: int, options: Mapping[str, Any]) -> bool:
        """Forks the kernel; tells whether that could be done."""
        if self._why_not_forked(options) is not None:
            return False
        descriptors, where = named_descriptors(given, lifeline), _where(options)
        try:
            fork, pid = await fork_kernel(self.kernels.preload, descriptors, {"key": given.key}, where)
        except (ForkServerFailed, KernelStartError) as error:
            self.log.warning("The kernel is started and not forked: %s", error)
            return False
        self._runs(PolledProcess(fork, pid, None), where)
        return True

    async def _from_spare(self, options: Mapping[str, Any]) -> bool:
        """Makes a kernel that waited the one that is asked for; tells whether that could be done."""
        if (self._why_not_forked(options) or why_no_spare(options["env"])) is not None:
            return False
        where = _where(options)
        while (spare := self.kernels.spares.take()) is not None:
            with contextlib.closing(spare):
                try:
                    taken = await spare.take(where, self._paths(), self.parent.session.key.decode())
                except ForkServerFailed:
                    continue
            process, self._lifeline, self._memory = taken
            self._runs(process, where)
            return True
        return False

    def _why_not_forked(self, options: Mapping[str, Any]) -> str | None:
        if sys.platform != "linux":
            return "Kernels are forked on Linux only."
        env = options["env"]
        changed = [name for name in {*env, *os.environ} if env.get(name) != os.environ.get(name)]
        return why_not_set_later(changed, self.kernels.preload)

    def _runs(self, process: PolledProcess, where: Mapping[str, Any]) -> None:
        self.process = process
        self.pid = self.pgid = process.pid
        self.cwd = where["cwd"]

    def _paths(self) -> dict[Channel, str]:
        """Where the server's clients of the kernel will connect."""
        return {channel: f"{self.parent.ip}-{getattr(self.parent, f'{channel}_port')}" for channel in CHANNELS}

    def _let_go(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def _where(options: Mapping[str, Any]) -> dict[str, Any]:
    """Where a kernel is to run, for a process that is forked."""
    return {
        **surroundings(options.get("cwd"), {}),
        "env": {**options["env"], "JPY_PARENT_PID": str(os.getpid())},
    }
