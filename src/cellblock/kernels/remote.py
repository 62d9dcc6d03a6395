"""A kernel that a Jupyter server runs for us."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from typing import TYPE_CHECKING, Any, TypeVar

from cellblock._core.kernel_ids import KernelOwner, kernel_id_for
from cellblock.errors import CellblockError, KernelStartError, TransportError
from cellblock.kernels.subscription import until_subscribed
from cellblock.kernels.watched_transport import WatchedTransport
from cellblock.transports.rest import AsyncJupyterClient
from cellblock.transports.websocket import WebSocketTransport

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from cellblock._core.connection_info import JupyterConnectionInfo
    from cellblock._core.server_api import JsonObject
    from cellblock.transports import Transport

__all__ = ["RemoteKernel"]

T = TypeVar("T")

_log = logging.getLogger(__name__)
_WATCH_INTERVAL = 5.0  # seconds between looks whether the server still has the kernel
_STOP_WITHIN = 6.0  # seconds for a server to end a kernel; Jupyter Server kills one that does not end after 5
_CANCEL_GRACE = 5.0  # seconds a cancelled start waits for the server, so that it can stop the kernel again


class RemoteKernel:
    """Controls one kernel through a Jupyter server.

    Without ``kernel_id`` the kernel is ours: ``start`` starts it and ``stop`` ends it. With it, the kernel is somebody
    else's: ``start`` connects to it as it is, and ``stop`` leaves it running. A second ``start`` connects again to what
    still runs; one that is to be ``afresh`` restarts either kind.

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
        self._transport: WatchedTransport | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._died: asyncio.Future[str] | None = None
        self._strays: set[str] = set()  # kernels the server may or may not have started for us
        self._used = False  # we have been connected to the kernel, so there is state to lose
        self._fresh = False  # the kernel has been restarted since
        self._dead = False  # the kernel has died since, and nobody has restarted it
        self._resumed = False
        # Sender in the kernel's messages: of the last, of the answer to a new connection.
        self._process = self._answered = ""
        self._last_words = b""

    @property
    def is_ours(self) -> bool:
        """Whether ``start`` started the kernel, rather than found it."""
        return self._ours

    @property
    def resumed(self) -> bool:
        """Whether the last ``start`` found the very kernel again that ran before, with its state."""
        return self._resumed

    @property
    def language(self) -> str:
        """The language of the code it runs, as its kernelspec names it; known once it has started."""
        return self._language

    @property
    def died(self) -> asyncio.Future[str]:
        """Resolves with a sentence that says why when the kernel dies or is gone from the server."""
        if self._died is None:
            self._died = asyncio.get_running_loop().create_future()
        return self._died

    def last_words(self) -> bytes:
        """What the kernel that died last wrote before, if its server is one of ours, which keep that."""
        return self._last_words

    async def start(self, *, afresh: bool = False) -> Transport:
        """Starts the kernel, or connects to one that runs already.

        After an error ``stop`` must still be called: what the server has done of it may have to be undone.

        Args:
            afresh: Whether a kernel that we were connected to before is to be restarted.

        Raises:
            KernelSpecNotFound: The server has no such kernelspec.
            KernelStartError: It could not start the kernel, or has none of the id, or no longer.
            AuthError: It refused our token.
            ConnectError: It cannot be reached.
            RemoteProtocolError: It is no Jupyter server.
        """
        await self._disconnect()
        self._died, self._last_words = None, b""
        if self._client is None:
            self._client = AsyncJupyterClient(self.connection_info, timeout=self._start_timeout)
        self._answered = ""
        first = self._ours and not self._used
        kernel_id = await self._provide(self._client, afresh=afresh)
        learning = self._run(self._learn_language(self._client))
        # Not gathered: a cancellation just when both are done would lose the open connection.
        self._transport = WatchedTransport(await self._connect(kernel_id, first=first), self)
        await learning
        # A kernel that does not number its messages cannot be told from another; its server tells of a restart.
        another = self._answered and self._process and self._answered != self._process
        self._resumed = self._used and not self._fresh and not another
        self._process = self._answered or (self._process if self._resumed else "")
        self._used, self._fresh, self._dead = True, False, False
        self._run(self._watch_server(self._client, kernel_id))
        for stray in self._strays:
            self._run(_delete(self._client, stray))
        return self._transport

    async def interrupt(self) -> None:
        """Asks the server to interrupt the kernel. A caller who does not wait for the answer is obeyed all the same.

        Raises:
            CellblockError: The server could not be asked, or could not do it.
        """
        if self._client is None or self.kernel_id is None:
            return
        failure = await asyncio.shield(self._run(self._interrupt(self._client, self.kernel_id)))
        if failure is not None:
            raise failure

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
            await asyncio.gather(*(_stop(client, kernel_id) for kernel_id in ours))
            await self._disconnect()
        finally:
            await client.close()

    def keep_last_words(self, memory: bytes) -> None:
        """Takes what a dead kernel wrote last.

        Args:
            memory: As ``cellblock._core.last_words`` reads it.
        """
        self._last_words = memory

    def note_process(self, sender: str) -> None:
        """Takes which process the kernel's messages come from.

        Args:
            sender: As ``MessageNumber`` has it.
        """
        self._process = sender

    def report_death(self, sentence: str, *, fresh: bool = False, gone: bool = False) -> None:
        """Resolves ``died``.

        Args:
            sentence: What happened.
            fresh: Whether the server has already started the kernel again.
            gone: Whether the server has no such kernel any more.
        """
        self._fresh, self._dead = fresh, not fresh
        if gone and self._ours and self.kernel_id is not None:
            self._strays.add(self.kernel_id)  # in case it is only about to go: the next start is of another kernel
            self.kernel_id = None
        if not self.died.done():
            self.died.set_result(sentence)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _provide(self, client: AsyncJupyterClient, *, afresh: bool) -> str:
        """Makes sure that the server runs a kernel for us, and gives its id."""
        if self._ours and (self.kernel_id is None or not self._used):
            # A start before may not have got further than this; the server answers with the kernel it has.
            return await self._launch(client)
        assert self.kernel_id is not None
        if afresh and self._used and not self._fresh:
            return await self._restart(client, self.kernel_id)
        model = await client.get_kernel(self.kernel_id)
        if self._ours and model is None:
            return await self._launch(client)
        if self._ours and (self._dead or _is_dead(model)):
            return await self._restart(client, self.kernel_id)
        if model is None or _is_dead(model):
            raise KernelStartError(self._why_not_attached(dead=model is not None))
        self.name = str(model.get("name", self.name))
        return self.kernel_id

    def _why_not_attached(self, *, dead: bool) -> str:
        where = f"the server at {self.connection_info.url}"
        if dead:
            return (
                f"Kernel {self.kernel_id} on {where} died and could not be started again by it. It is somebody else's; "
                "restart() starts it afresh all the same."
            )
        if self._used:
            return (
                f"Kernel {self.kernel_id} is no longer on {where}, so its variables are lost. It was somebody else's and is "
                "not replaced: attach to another kernel, or leave out kernel_id to start one."
            )
        return (
            f"Kernel {self.kernel_id} was to be attached to, but {where} has no "
            "kernel of that id. `cellblock kernels list` shows those it has."
        )

    async def _launch(self, client: AsyncJupyterClient) -> str:
        # The id is ours before the server knows it, so that a start which does not get its answer leaves no kernel that
        # nobody stops. It is not asked for twice: a server that is still starting it would start another.
        wanted = self.kernel_id or kernel_id_for(KernelOwner(self._label, socket.gethostname(), os.getpid()))
        self.kernel_id = None
        starting = asyncio.ensure_future(client.start_kernel(self.name, kernel_id=wanted, path=self.path))
        try:
            self.kernel_id = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._strays.add(wanted)
            await asyncio.wait({starting}, timeout=_CANCEL_GRACE)  # what is not there yet cannot be deleted
            raise
        except TransportError:
            self._strays.add(wanted)
            raise
        self._fresh, self._dead = True, False
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
        self._fresh, self._dead = True, False
        return kernel_id

    async def _interrupt(self, client: AsyncJupyterClient, kernel_id: str) -> CellblockError | None:
        """Gives the failure instead of raising it: there may be nobody left to take it."""
        try:
            found = await client.interrupt_kernel(kernel_id)
        except CellblockError as error:
            _log.info("Kernel %s could not be interrupted: %s", kernel_id, error)
            return error
        if not found:
            self.report_death(_deleted(kernel_id), gone=True)
        return None

    async def _learn_language(self, client: AsyncJupyterClient) -> None:
        if self._language:
            return
        with contextlib.suppress(CellblockError):  # a server that does not tell can still run code
            specs = (await client.list_kernel_specs()).get("kernelspecs", {})
            self._language = str(specs.get(self.name, {}).get("spec", {}).get("language", "")).lower()

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
                self._answered = await until_subscribed(transport)
        except BaseException:
            await transport.close()
            raise
        return transport

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
                if _is_dead(model):
                    return self.report_death(f"Kernel {kernel_id} died and the server could not start it again.")


def _is_dead(model: JsonObject | None) -> bool:
    return model is not None and model.get("execution_state") == "dead"


async def _stop(client: AsyncJupyterClient, kernel_id: str) -> None:
    try:
        async with asyncio.timeout(_STOP_WITHIN):
            await _delete(client, kernel_id)
    except TimeoutError:
        _log.warning(
            "Kernel %s was to be stopped, but the server at %s did not answer within %g s. It may still be there: "
            "`cellblock kernels stop %s` stops it once the server answers.",
            *(kernel_id, client.connection_info.url, _STOP_WITHIN, kernel_id),
        )


async def _delete(client: AsyncJupyterClient, kernel_id: str) -> None:
    try:
        await client.delete_kernel(kernel_id)
    except CellblockError as error:
        # Whoever stops a kernel can do nothing about a server that is gone; with the server its kernels are too.
        _log.info("Kernel %s could not be stopped: %s", kernel_id, error)


def _deleted(kernel_id: str) -> str:
    return f"Kernel {kernel_id} is no longer on the server: somebody stopped it, or it was idle for too long."
