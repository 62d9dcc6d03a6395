"""How a local Jupyter server of ours starts its kernels in sandboxes. ``servers/local_server_main`` names these classes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError

from cellblock._core.messages import Requests
from cellblock.errors import CellblockError
from cellblock.kernels.kernelspec import find_kernelspec
from cellblock.kernels.process import open_log
from cellblock.kernels.sandbox.interpreter import examine
from cellblock.kernels.sandbox.join import sandbox_fork_server
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox
from cellblock.kernels.server_kernels import HandoverProvisioner, OneKernel
from cellblock.kernels.server_spare import server_handover
from cellblock.transports.zmq import ZmqTransport

if TYPE_CHECKING:
    import logging

    from cellblock._core.messages import Channel
    from cellblock.kernels.process import LocalProcess
    from cellblock.kernels.sandbox.egress import HostRequest

__all__ = ["ConfinedKernel", "ConfinedKernels", "SandboxProvisioner"]


class ConfinedKernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """The kernels of a server that starts none without a sandbox. The process they are forked from begins with it."""

    log: logging.Logger
    sandbox: Sandbox

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        sandbox_fork_server(examine(sys.executable))

    def confine(self, arguments: dict[str, Any]) -> None:
        """Says what every kernel may do; to be called before the first one is asked for.

        Args:
            arguments: Of ``Sandbox``.

        Raises:
            ConfigError: One cannot be used.
        """
        # Made once: what read_only names is what it is now, and not what a kernel's code makes of it.
        self.sandbox = Sandbox(**arguments, on_request=self._note)

    def _note(self, request: HostRequest) -> None:
        self.log.info(
            "The code was %s %s", f"refused ({request.refused})" if request.refused else "connected to", request.target
        )


class ConfinedKernel(OneKernel):
    """One kernel of such a server, whatever its kernelspec says about how to start it."""

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None:
            self.kernel_id = self.kernel_id or options.get("kernel_id")
            self.provisioner = SandboxProvisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
            self.provisioner.confine(self.parent.sandbox)
        prepared: tuple[list[str], dict[str, Any]] = await super()._async_pre_start_kernel(**options)
        return prepared

    def last_words(self) -> bytes:
        """See ``OneKernel``."""
        return self.provisioner.last_words() if self.provisioner is not None else b""


class SandboxProvisioner(HandoverProvisioner):
    """Starts one confined kernel process after the other for a ``ConfinedKernel``, in one workspace."""

    process: LocalProcess | None
    log: logging.Logger
    _launcher: SandboxLauncher

    def confine(self, sandbox: Sandbox) -> None:
        """Says what the kernel may do.

        Args:
            sandbox: What confines it.
        """
        self._launcher = SandboxLauncher(sandbox)

    def last_words(self) -> bytes:
        """See ``OneKernel``."""
        return b"" if self.process is None else self.process.last_words()

    async def launch_kernel(self, cmd: list[str], **_: Any) -> Any:  # noqa: ARG002 - the interface's
        """Starts the kernel, and gives its connection information.

        Args:
            cmd: The kernelspec's command, of which the sandbox knows a way of its own.

        Raises:
            HTTPError: It cannot be started, or not confined; the message, which the client is told, says why.
        """
        spec = find_kernelspec(self.parent.kernel_name)
        with contextlib.ExitStack() as opened:
            given = server_handover(self._paths(), self.parent.session.key.decode(), opened)
            given = replace(given, log=open_log())  # which is read to learn why it ended
            try:
                self.process = await self._launcher.start(spec, None, spec.env, given)
            except CellblockError as error:
                raise HTTPError(500, str(error)) from error
        await self._answers(self.process)
        self.pid = self.process.pid
        return self.connection_info

    async def poll(self) -> int | None:
        """The return code, once the kernel has ended."""
        if self.process is None:
            return 0
        return self.process.ended.result() if self.process.ended.done() else None

    async def wait(self) -> int | None:
        """Waits until the kernel has ended, and gives the return code."""
        if self.process is None:
            return 0
        returncode = await asyncio.shield(self.process.ended)
        await self._release()
        return returncode

    async def send_signal(self, signum: int) -> None:
        """Interrupts the kernel, or ends it.

        Args:
            signum: SIGINT, or a signal to end it.
        """
        if self.process is None or signum == 0:
            return
        if signum == signal.SIGINT:
            self.process.interrupt()
        else:
            self.process.kill()

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002 - the interface's
        """Ends the kernel and all it has started."""
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:  # noqa: ARG002 - the interface's
        """Ends the kernel and all it has started."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        """Lets go of the kernel, and of its workspace if that was made for it.

        Args:
            restart: Whether another follows.
        """
        await self._release()
        if not restart:
            await asyncio.to_thread(self._launcher.close)
        await super().cleanup(restart)

    async def _answers(self, process: LocalProcess) -> None:
        """Waits until the kernel answers: what the server asks it before would be answered amid a client's first cell."""
        endpoints: dict[Channel, str] = {channel: f"ipc://{path}" for channel, path in self._paths().items()}
        transport = ZmqTransport(endpoints, self.parent.session.key)
        answered = asyncio.ensure_future(_answered(transport))
        try:
            await asyncio.wait((answered, process.ended), return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                raise HTTPError(500, f"The kernel ended before it was ready. {process.cause_of_death()}")
        finally:
            answered.cancel()
            await transport.close()

    async def _release(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            if process.ended.done():
                self.log.warning("%s", process.cause_of_death())
            await process.gone(0)


async def _answered(transport: ZmqTransport) -> None:
    """Asks each of the kernel's threads that answer, and waits for both answers."""
    requests, waiting = Requests(), {"shell", "control"}
    await transport.send(requests.make("kernel_info_request", {}))
    await transport.send(requests.make("kernel_info_request", {}, channel="control"))
    while waiting:
        message = await transport.receive()
        if message.msg_type == "kernel_info_reply":
            waiting.discard(message.channel)
