"""A kernel that a Jupyter server runs for us."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from typing import TYPE_CHECKING

from cellblock._core.kernel_ids import KernelOwner, kernel_id_for
from cellblock._core.messages import Requests
from cellblock._core.server_api import kernel_spec_of
from cellblock.errors import CellblockError, Disconnected, KernelSpecNotFound, KernelStartError, TransportError
from cellblock.transports.rest import AsyncJupyterClient
from cellblock.transports.websocket import WebSocketTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from cellblock._core.connection_info import JupyterConnectionInfo
    from cellblock._core.messages import Message
    from cellblock.transports import Transport

__all__ = ["RemoteKernel"]

_log = logging.getLogger(__name__)
_WATCH_INTERVAL = 5.0  # seconds between looks whether the server still has the kernel
_ASK_EVERY = 0.1  # seconds between questions to a kernel whose outputs do not reach us yet
_SUBSCRIBED_WITHIN = 5.0  # seconds; a kernel that does not answer on its control channel is believed after that
_LAST_WORDS = "last_words"  # type of a message of our own servers; see servers/local_server_main.py
_CANCEL_GRACE = 5.0  # seconds a cancelled start waits for the server, so that it can stop the kernel again


class RemoteKernel:
    """Controls one kernel through a Jupyter server.

    Without ``kernel_id`` the kernel is ours: ``start`` starts it and ``stop`` ends it. With it, the kernel is somebody
    else's: ``start`` connects to it as it is, and ``stop`` leaves it running. A second ``start`` restarts either.

    Args:
        connection_info: Where the server is.
        kernel_name: The kernelspec's name, for a kernel of ours.
        kernel_id: A kernel that runs already.
        label: A word in the id of a kernel of ours, by which it can be found among the server's kernels.
        path: The working directory of a kernel of ours, below the server's root.
        start_timeout: Seconds the server may take to start the kernel, and again to connect us to it.
        reconnect_timeout: Seconds in which a dropped connection must be up again.
    """

    def __init__(
        self,
        connection_info: JupyterConnectionInfo,
        kernel_name: str = "python3",
        *,
        kernel_id: str | None = None,
        label: str = "",
        path: str = "",
        start_timeout: float = 60.0,
        reconnect_timeout: float = 30.0,
    ) -> None:
        self.connection_info = connection_info
        self.name = kernel_name
        self._language = "python" if kernel_name == "python3" else ""
        self.kernel_id = kernel_id
        self._ours = kernel_id is None
        self._label = label
        self.path = path
        self._start_timeout = start_timeout
        self._reconnect_timeout = reconnect_timeout
        self._client: AsyncJupyterClient | None = None
        self._transport: _WatchedTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._died: asyncio.Future[str] | None = None
        self._strays: set[str] = set()  # kernels the server may or may not have started for us
        self._used = False  # we have been connected to the kernel, so there is state to lose
        self._fresh = False  # the server has restarted the kernel since
        self._last_words = b""

    @property
    def is_ours(self) -> bool:
        """Whether ``start`` started the kernel, rather than found it."""
        return self._ours

    @property
    def language(self) -> str:
        """The language of the code it runs, as its kernelspec names it; known once it has started."""
        return self._language

    @property
    def died(self) -> asyncio.Future[str]:
        """Resolves with a sentence that says why when the kernel, or the way to it, is gone."""
        if self._died is None:
            self._died = asyncio.get_running_loop().create_future()
        return self._died

    def last_words(self) -> bytes:
        """What the kernel that died last wrote before, if its server is one of ours, which keep that."""
        return self._last_words

    async def start(self) -> Transport:
        """Starts the kernel or, for one that somebody else started, connects to it; a second time, restarts it.

        After an error ``stop`` must still be called: what the server has done of it may have to be undone.

        Raises:
            KernelSpecNotFound: The server has no such kernelspec.
            KernelStartError: It could not start the kernel, or has none of the id.
            AuthError: It refused our token.
            ConnectError: It cannot be reached.
            RemoteProtocolError: It is no Jupyter server.
        """
        await self._disconnect()
        self._died, self._last_words = None, b""
        if self._client is None:
            self._client = AsyncJupyterClient(self.connection_info, timeout=self._start_timeout)
        kernel_id = await self._provide(self._client)
        first = self._ours and not self._used
        learning = self._run(self._learn_language(self._client))
        # Not gathered: a cancellation just when both are done would lose the open connection.
        self._transport = _WatchedTransport(await self._connect(kernel_id, first=first), self)
        await learning
        self._used, self._fresh = True, False
        self._run(self._watch_server(self._client, kernel_id))
        for stray in self._strays:
            self._run(_delete(self._client, stray))
        return self._transport

    async def interrupt(self) -> None:
        """Asks the server to interrupt the kernel. A caller who does not wait for the answer is obeyed all the same."""
        if self._client is not None and self.kernel_id is not None:
            await asyncio.shield(self._run(self._interrupt(self._client, self.kernel_id)))

    async def stop(self) -> None:
        """Ends the kernel if it is ours, and the connection; may be called more than once."""
        client, self._client = self._client, None
        if client is None:
            return
        ours, self._strays = self._strays, set()
        if self._ours and self.kernel_id is not None:
            ours.add(self.kernel_id)
            self.kernel_id = None
        self._used = False
        try:
            # One after the other: of a client that leaves while its kernel ends, the server keeps the sockets for ever.
            if self._transport is not None:
                self._transport.expect_end()
            await asyncio.gather(*(_delete(client, kernel_id) for kernel_id in ours))
            await self._disconnect()
        finally:
            await client.close()

    def keep_last_words(self, memory: bytes) -> None:
        """Takes what a dead kernel wrote last.

        Args:
            memory: As ``cellblock._core.last_words`` reads it.
        """
        self._last_words = memory

    def report_death(self, sentence: str, *, fresh: bool = False, gone: bool = False) -> None:
        """Resolves ``died``.

        Args:
            sentence: What happened.
            fresh: Whether the server has already started the kernel again.
            gone: Whether the server has no such kernel any more.
        """
        self._fresh = fresh
        if gone and self._ours and self.kernel_id is not None:
            self._strays.add(self.kernel_id)  # in case it is only about to go: the next start is of another kernel
            self.kernel_id = None
        if not self.died.done():
            self.died.set_result(sentence)

    def _run(self, coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _provide(self, client: AsyncJupyterClient) -> str:
        """Makes sure that the server runs a kernel for us that has no state of ours, and gives its id."""
        if self.kernel_id is None:
            return await self._launch(client)
        if self._used and not self._fresh:
            return await self._restart(client, self.kernel_id)
        if self._ours:  # a start that did not get further than this; the server answers with the kernel it has
            return await self._launch(client)
        model = await client.get_kernel(self.kernel_id)
        if model is None:
            raise KernelStartError(
                f"Kernel {self.kernel_id} was to be attached to, but the server at {self.connection_info.url} has no "
                "kernel of that id. `cellblock kernels list` shows those it has."
            )
        self.name = str(model.get("name", self.name))
        return self.kernel_id

    async def _launch(self, client: AsyncJupyterClient) -> str:
        # The id is ours before the server knows it, so that a start which does not get its answer leaves no kernel that
        # nobody stops. It is not asked for twice: a server that is still starting it would start another.
        wanted = self.kernel_id or kernel_id_for(KernelOwner(self._label, socket.gethostname(), os.getpid()))
        self.kernel_id = None
        starting = asyncio.ensure_future(client.start_kernel(self.name, kernel_id=wanted, path=self.path))
        try:
            self.kernel_id = await asyncio.shield(starting)
        except KernelStartError as error:
            await self._check_kernelspec(client, error)
            raise
        except asyncio.CancelledError:
            self._strays.add(wanted)
            await asyncio.wait({starting}, timeout=_CANCEL_GRACE)  # what is not there yet cannot be deleted
            raise
        except TransportError:
            self._strays.add(wanted)
            raise
        return self.kernel_id

    async def _restart(self, client: AsyncJupyterClient, kernel_id: str) -> str:
        try:
            await client.restart_kernel(kernel_id)
        except KernelStartError:
            if not self._ours:
                raise
            # Gone or beyond restarting: a kernel of ours may be replaced.
            await _delete(client, kernel_id)
            self.kernel_id = None
            return await self._launch(client)
        return kernel_id

    async def _interrupt(self, client: AsyncJupyterClient, kernel_id: str) -> None:
        try:
            found = await client.interrupt_kernel(kernel_id)
        except CellblockError as error:
            _log.warning("Kernel %s could not be interrupted: %s", kernel_id, error)
        else:
            if not found:
                self.report_death(_deleted(kernel_id), gone=True)

    async def _learn_language(self, client: AsyncJupyterClient) -> None:
        if self._language:
            return
        with contextlib.suppress(CellblockError):  # a server that does not tell can still run code
            specs = (await client.list_kernel_specs()).get("kernelspecs", {})
            self._language = str(specs.get(self.name, {}).get("spec", {}).get("language", "")).lower()

    async def _check_kernelspec(self, client: AsyncJupyterClient, error: KernelStartError) -> None:
        """Servers answer 500 for an unknown kernelspec; this finds out whether that was it."""
        specs = await client.list_kernel_specs()
        try:
            kernel_spec_of(specs, self.name, self.connection_info.url)
        except KernelSpecNotFound as unknown:
            raise unknown from error

    async def _connect(self, kernel_id: str, *, first: bool) -> WebSocketTransport:
        transport = WebSocketTransport(
            self.connection_info,
            kernel_id,
            open_timeout=self._start_timeout,
            reconnect_timeout=self._reconnect_timeout,
        )
        await transport.open()
        try:
            if not first:
                await self._until_subscribed(transport)
        except BaseException:
            await transport.close()
            raise
        return transport

    async def _until_subscribed(self, transport: WebSocketTransport) -> None:
        """Asks the kernel for anything until the answer comes on iopub too.

        A server does this itself before it lets us in, except for a kernel it believes busy, which it does of one that it
        has killed in the middle of a cell; the first outputs would then be lost. The control channel answers while a
        cell of somebody else's runs; for a kernel that has none, waiting is limited.
        """
        requests = Requests()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SUBSCRIBED_WITHIN):
                while True:
                    await transport.send(requests.make("kernel_info_request", {}, channel="control"))
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_ASK_EVERY):
                            while not _is_of(await transport.receive(), requests):
                                pass
                            return

    async def _disconnect(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._transport is not None:
            await self._transport.close()

    async def _watch_server(self, client: AsyncJupyterClient, kernel_id: str) -> None:
        """Looks whether the server still has the kernel: it closes no WebSocket when it deletes one."""
        while True:
            await asyncio.sleep(_WATCH_INTERVAL)
            with contextlib.suppress(CellblockError):  # a server out of reach is the WebSocket's business
                model = await client.get_kernel(kernel_id)
                if model is None:
                    return self.report_death(_deleted(kernel_id), gone=True)
                if model.get("execution_state") == "dead":
                    return self.report_death(f"Kernel {kernel_id} died and the server could not start it again.")


class _WatchedTransport:
    """A transport whose messages, and whose end, tell its kernel when it died."""

    def __init__(self, transport: WebSocketTransport, kernel: RemoteKernel) -> None:
        self._transport = transport
        self._kernel = kernel
        self._closed = False

    @property
    def interruptions(self) -> int:
        """How often the connection dropped and was made again; messages may be missing each time."""
        return self._transport.interruptions

    @property
    def on_resume(self) -> Callable[[], None]:
        """Called each time."""
        return self._transport.on_resume

    @on_resume.setter
    def on_resume(self, callback: Callable[[], None]) -> None:
        self._transport.on_resume = callback

    def expect_end(self) -> None:
        """From now on the kernel's end is no news."""
        self._closed = True

    async def send(self, message: Message) -> None:
        """See ``WebSocketTransport``."""
        await self._transport.send(message)

    async def receive(self) -> Message:
        """See ``WebSocketTransport``."""
        try:
            message = await self._transport.receive()
        except Disconnected as error:
            if not self._closed:
                self._kernel.report_death(str(error))
            raise
        if self._closed:
            return message
        if message.msg_type == "status":
            self._look_at_status(message)
        elif message.msg_type == "shutdown_reply" and message.channel == "iopub":
            self._look_at_shutdown(message)
        elif message.msg_type == _LAST_WORDS:
            self._kernel.keep_last_words(b"".join(message.buffers))
        return message

    async def close(self) -> None:
        """See ``WebSocketTransport``."""
        self._closed = True
        await self._transport.close()

    def _look_at_status(self, message: Message) -> None:
        state = message.content.get("execution_state")
        if state == "restarting":
            self._kernel.report_death("The kernel died and the server started it again.", fresh=True)
        elif state == "dead":
            self._kernel.report_death("The kernel died and the server could not start it again.")

    def _look_at_shutdown(self, message: Message) -> None:
        if message.content.get("restart"):
            self._kernel.report_death("The kernel was restarted by another client of the server.", fresh=True)
        else:
            self._kernel.report_death("The kernel was shut down by another client of the server.", gone=True)


def _is_of(message: Message, requests: Requests) -> bool:
    return message.channel == "iopub" and message.parent_header.get("session") == requests.session


async def _delete(client: AsyncJupyterClient, kernel_id: str) -> None:
    try:
        await client.delete_kernel(kernel_id)
    except CellblockError as error:
        # Whoever stops a kernel can do nothing about a server that is gone; with the server its kernels are too.
        _log.info("Kernel %s could not be stopped: %s", kernel_id, error)


def _deleted(kernel_id: str) -> str:
    return f"Kernel {kernel_id} is no longer on the server: somebody stopped it, or it was idle for too long."
