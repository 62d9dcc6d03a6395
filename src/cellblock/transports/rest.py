"""The REST API of a Jupyter server: a client for asyncio, and a blocking face of it with AutoGen's names.

What is sent and how answers are read is in ``_core.server_api``; here it is carried.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from cellblock._core import server_api
from cellblock._core.server_api import Answer, ApiCall, JsonObject, ServerBusyError
from cellblock.background import background_loop
from cellblock.errors import (
    ConfigError,
    KernelSpecNotFound,
    KernelStartError,
    MissingDependency,
    RemoteProtocolError,
    TransportError,
)
from cellblock.transports.connect_errors import connect_error

try:
    import httpx2
except ImportError as error:
    raise MissingDependency.for_extra("Talking to a Jupyter server", "server") from error

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from cellblock._core.connection_info import JupyterConnectionInfo
    from cellblock.transports.kernel_client import JupyterKernelClient

__all__ = ["AsyncJupyterClient", "JupyterClient"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 10.0  # seconds to open a connection
_KEPT = httpx2.Limits(max_keepalive_connections=1, keepalive_expiry=30.0)  # seconds; proxies close an idle one after 60
_NONE_KEPT = httpx2.Limits(max_keepalive_connections=0)
_RETRY_DELAYS = (0.0, 0.2, 0.5)  # seconds before a call that may be repeated is, while a proxy cannot reach the server


class AsyncJupyterClient:
    """Starts, interrupts and stops the kernels of one Jupyter server, for asyncio.

    Args:
        connection_info: Where the server is.
        timeout: Seconds the server may take for one answer; starting a kernel is the slowest.
        keep_connections: Whether connections are used again, so that ``close`` must be called in the end.

    Raises:
        ConfigError: The server's address, or the proxy that the environment names, cannot be used.
    """

    def __init__(
        self, connection_info: JupyterConnectionInfo, *, timeout: float = 60.0, keep_connections: bool = True
    ) -> None:
        self.connection_info = connection_info
        limits = _KEPT if keep_connections else _NONE_KEPT
        options = _options(connection_info, timeout)
        try:
            self._client = httpx2.AsyncClient(**options, limits=limits)
        except httpx2.InvalidURL as error:
            raise ConfigError(f"{connection_info.url} cannot be the address of a server: {error}.") from error
        except (ImportError, ValueError):  # not shown: the proxy's address may have a password in it
            raise ConfigError(
                "The proxy that the environment names (ALL_PROXY, HTTP_PROXY or HTTPS_PROXY) cannot be used: it must be an "
                "http or https one. Unset the variable, or name the server in NO_PROXY."
            ) from None

    async def list_kernel_specs(self) -> JsonObject:
        """See ``JupyterClient``."""
        return await self.call(server_api.list_kernel_specs())

    async def list_kernels(self) -> list[JsonObject]:
        """See ``JupyterClient``."""
        return await self.call(server_api.list_kernels())

    async def get_kernel(self, kernel_id: str) -> JsonObject | None:
        """See ``JupyterClient``."""
        return await self.call(server_api.get_kernel(kernel_id))

    async def start_kernel(self, kernel_spec_name: str, *, kernel_id: str | None = None, path: str = "") -> str:
        """See ``JupyterClient``."""
        try:
            return await self.call(server_api.start_kernel(kernel_spec_name, kernel_id, path))
        except KernelStartError as error:  # servers answer 500 for a kernelspec they do not have, too
            try:
                server_api.kernel_spec_of(await self.list_kernel_specs(), kernel_spec_name, self.connection_info.url)
            except KernelSpecNotFound as unknown:
                raise unknown from error
            raise

    async def restart_kernel(self, kernel_id: str) -> None:
        """See ``JupyterClient``."""
        await self.call(server_api.restart_kernel(kernel_id))

    async def interrupt_kernel(self, kernel_id: str) -> bool:
        """See ``JupyterClient``."""
        return await self.call(server_api.interrupt_kernel(kernel_id))

    async def delete_kernel(self, kernel_id: str) -> bool:
        """See ``JupyterClient``."""
        return await self.call(server_api.delete_kernel(kernel_id))

    async def call(self, call: ApiCall[T]) -> T:
        """Performs any call of the API.

        Raises:
            AuthError: The server refused us.
            ConnectError: It cannot be reached.
            KernelStartError: It could not do what was asked of a kernel.
            RemoteProtocolError: Its answer is not one of a Jupyter server.
        """
        for delay in _RETRY_DELAYS if call.repeatable else ():
            try:
                return await self._call_once(call)
            except ServerBusyError as error:
                _log.info("Asking again in %g s: %s", delay, error)
                await asyncio.sleep(delay)
        return await self._call_once(call)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _call_once(self, call: ApiCall[T]) -> T:
        try:
            response = await self._client.request(call.method, call.path, json=call.body, params=call.params)
        except (httpx2.HTTPError, UnicodeError) as error:  # a name that cannot be a host's is the latter
            raise _transport_error(error, self.connection_info) from error
        return _read(call, response, self.connection_info)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class JupyterClient:
    """Starts, interrupts and stops the kernels of one Jupyter server, blocking. Nothing needs to be closed.

    Args:
        connection_info: Where the server is.
        timeout: Seconds the server may take for one answer; starting a kernel is the slowest.
    """

    def __init__(self, connection_info: JupyterConnectionInfo, *, timeout: float = 60.0) -> None:
        self.connection_info = connection_info
        self._client = AsyncJupyterClient(connection_info, timeout=timeout, keep_connections=False)

    def list_kernel_specs(self) -> JsonObject:
        """The kernelspecs of the server: ``{"default": name, "kernelspecs": {name: {…}}}``."""
        return background_loop().call(self._client.list_kernel_specs())

    def list_kernels(self) -> list[JsonObject]:
        """The models of the kernels that run: id, name, execution_state, connections, last_activity."""
        return background_loop().call(self._client.list_kernels())

    def get_kernel(self, kernel_id: str) -> JsonObject | None:
        """The model of one kernel, or None if there is none of that id."""
        return background_loop().call(self._client.get_kernel(kernel_id))

    def start_kernel(self, kernel_spec_name: str, *, kernel_id: str | None = None, path: str = "") -> str:
        """Starts a kernel and gives its id.

        Args:
            kernel_spec_name: The kernelspec's name.
            kernel_id: The id the kernel shall have, on servers that let us choose; otherwise the server's choice.
            path: Its working directory, below the server's root.

        Raises:
            KernelSpecNotFound: The server has no kernelspec of that name.
            KernelStartError: It could not start the kernel.
        """
        return background_loop().call(self._client.start_kernel(kernel_spec_name, kernel_id=kernel_id, path=path))

    def restart_kernel(self, kernel_id: str) -> None:
        """Restarts a kernel; its state is lost, its id stays."""
        background_loop().call(self._client.restart_kernel(kernel_id))

    def interrupt_kernel(self, kernel_id: str) -> bool:
        """Interrupts what a kernel runs; False if there is no such kernel."""
        return background_loop().call(self._client.interrupt_kernel(kernel_id))

    def delete_kernel(self, kernel_id: str) -> bool:
        """Ends a kernel; False if there is no such kernel."""
        return background_loop().call(self._client.delete_kernel(kernel_id))

    def get_kernel_client(self, kernel_id: str) -> JupyterKernelClient:
        """Connects to a kernel to run code in it, as AutoGen does; ``Session`` does more and better."""
        from cellblock.transports.kernel_client import JupyterKernelClient

        return JupyterKernelClient(self.connection_info, kernel_id)


def _options(info: JupyterConnectionInfo, timeout: float) -> dict[str, Any]:
    from cellblock.transports.tls import ssl_context

    return {
        "base_url": info.url,
        "headers": info.request_headers,
        "verify": ssl_context(info) or False,
        "timeout": httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT)),
        "trust_env": not info.is_loopback,  # a proxy of the environment's cannot reach our own machine
        "follow_redirects": False,  # the token must not go where we did not send it
    }


def _read(call: ApiCall[T], response: httpx2.Response, info: JupyterConnectionInfo) -> T:
    headers = response.headers
    answer = Answer(
        response.status_code, headers.get("content-type", ""), headers.get("location", ""), response.content
    )
    return server_api.read_answer(call, answer, info.url, has_token=bool(info.token))


def _transport_error(error: Exception, info: JupyterConnectionInfo) -> TransportError | RemoteProtocolError:
    if isinstance(error, httpx2.RemoteProtocolError | httpx2.DecodingError) and "disconnected" not in str(error):
        return RemoteProtocolError(f"What listens at {info.url} does not speak HTTP ({error}). Is the port right?")
    return connect_error(error, info)
