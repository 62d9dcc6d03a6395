"""A kernel started by this process, with no server between."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock._core.messages import Requests
from cellblock.errors import ConfigError, KernelStartError, ProtocolError, TransportError
from cellblock.kernels.environment import checked_environment
from cellblock.kernels.kernelspec import find_kernelspec
from cellblock.kernels.launch import Launcher, launcher_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock.kernels.process import LocalProcess
    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.transports.zmq import ZmqTransport

__all__ = ["LocalKernel"]

_SHUTDOWN_GRACE = 1.0  # seconds a kernel has to run its exit handlers
_NUDGE_EVERY = 0.05  # seconds between questions to a kernel that does not greet its subscribers


class LocalKernel:
    """A kernel of this process.

    Args:
        name: The kernelspec's name.
        cwd: The kernel's working directory; the caller's if not given.
        env: Environment variables set in the kernel beside the caller's.
        sandbox: What confines it; None gives it the rights of this process.
        launcher: How its process comes to be; by default what suits the sandbox or the kernelspec here.

    Raises:
        KernelSpecNotFound: There is no kernelspec of that name.
        ConfigError: ``cwd`` is no directory, or the environment is not text.
    """

    def __init__(
        self,
        name: str = "python3",
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        sandbox: Sandbox | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        self.name = name
        self._spec = find_kernelspec(name)
        self._cwd = None if cwd is None else os.fspath(cwd)
        if self._cwd is not None and not Path(self._cwd).is_dir():
            raise ConfigError(
                f"The kernel's working directory must exist, and {self._cwd} is no directory. Create it first."
            )
        self._env = checked_environment(env or {})
        self._launcher = launcher or launcher_for(self._spec, sandbox)
        self._process: LocalProcess | None = None
        self._transport: ZmqTransport | None = None
        self._requests = Requests()
        self._died: asyncio.Future[str] | None = None
        self._last_words = b""

    @property
    def is_ours(self) -> bool:
        """True: ``start`` has started it."""
        return True

    @property
    def resumed(self) -> bool:
        """False: each start is of a fresh kernel."""
        return False

    @property
    def language(self) -> str:
        """The language of the code it runs, as its kernelspec names it."""
        return self._spec.language

    @property
    def died(self) -> asyncio.Future[str]:
        """Resolves with a sentence when the kernel that was started last dies by itself."""
        if self._died is None:
            self._died = asyncio.get_running_loop().create_future()
        return self._died

    def last_words(self) -> bytes:
        """What the kernel that died last wrote before, as ``cellblock._core.last_words`` reads it."""
        return self._last_words

    async def start(self, *, afresh: bool = True) -> ZmqTransport:  # noqa: ARG002
        """Starts the kernel, or a fresh one in the place of the old.

        Args:
            afresh: Always so: nothing but the kernel's end ends the connection to it.

        Raises:
            KernelStartError: It ended before it was ready; the message has its own words.
        """
        await self._end(grace=0)
        self._died = asyncio.get_running_loop().create_future()
        environment = {**self._spec.env, **self._env}
        async with self._launcher.launch(self._spec, self._cwd, environment) as (process, transport):
            self._process, self._transport = process, transport
            try:
                await self._ready(greets=self._launcher.greets)
            except BaseException:
                await self._end(grace=0)
                raise
        process.ended.add_done_callback(lambda _: self._on_exit(process))
        return transport

    async def interrupt(self) -> None:
        """Makes the running cell raise KeyboardInterrupt: SIGINT, or a message where the kernelspec says so."""
        if self._process is None or self._transport is None:
            return
        if self._spec.interrupt_mode == "message":
            await self._transport.send(self._requests.make("interrupt_request", {}, channel="control"))
        else:
            self._process.interrupt()

    async def stop(self, *, grace: float = _SHUTDOWN_GRACE) -> None:
        """Ends the kernel and everything it started.

        Args:
            grace: Seconds it is given to run its exit handlers; 0 kills it.
        """
        try:
            await self._end(grace)
        finally:
            self._launcher.close()

    async def _end(self, grace: float) -> None:
        process, self._process = self._process, None
        transport, self._transport = self._transport, None
        if transport is not None and grace and process is not None and not process.ended.done():
            with contextlib.suppress(TransportError):
                await transport.send(self._requests.make("shutdown_request", {"restart": False}, channel="control"))
        try:
            if process is not None:
                await process.gone(grace)
        finally:
            if transport is not None:
                await transport.close()

    def _on_exit(self, process: LocalProcess) -> None:
        if self._process is process and self._died is not None and not self._died.done():
            self._last_words = process.last_words()
            self._died.set_result(process.cause_of_death())

    async def _ready(self, *, greets: bool) -> None:
        """Waits until an execute request may be sent and none of its output will be missed."""
        assert self._process is not None
        listening = asyncio.ensure_future(self._greeting() if greets else self._answers())
        try:
            await asyncio.wait((listening, self._process.ended), return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                said = self._process.complaints() or "it said nothing"
                raise KernelStartError(
                    f"The kernel {self.name} ended before it was ready. {self._process.cause_of_death()} Its output: {said}"
                )
            await listening
        finally:
            listening.cancel()

    async def _greeting(self) -> None:
        """Waits for the message an ipykernel sends to a new subscriber."""
        assert self._transport is not None
        while (await self._transport.receive()).msg_type != "iopub_welcome":
            pass

    async def _answers(self) -> None:
        """Asks for the kernel's description until an answer comes on both shell and iopub."""
        assert self._transport is not None
        transport = self._transport
        heard: set[str] = set()

        async def listen() -> None:
            while heard < {"shell", "iopub"}:
                with contextlib.suppress(ProtocolError):
                    heard.add((await transport.receive()).channel)

        listening = asyncio.ensure_future(listen())
        try:
            while not listening.done():
                await transport.send(self._requests.make("kernel_info_request", {}))
                await asyncio.wait((listening,), timeout=_NUDGE_EVERY)
            await listening
        finally:
            listening.cancel()
