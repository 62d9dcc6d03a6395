"""A container that serves Jupyter: created, started, awaited until it answers, and stopped."""

from __future__ import annotations

import asyncio
import atexit
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cellblock._core.connection_info import JupyterConnectionInfo
from cellblock.background import background_loop
from cellblock.errors import AuthError, ConfigError, ProtocolError, ServerStartError, StartError, TransportError
from cellblock.kernels.process import let_go_in_children
from cellblock.servers.docker_attachment import Attachment
from cellblock.servers.docker_engine import reason_of
from cellblock.servers.docker_handover import GATEWAY_PORT
from cellblock.servers.docker_options import PORT
from cellblock.transports.rest import AsyncJupyterClient

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from cellblock.servers.docker_handover import ListenerHandover

__all__ = ["ServerContainer"]

_STOP_SECONDS = 3  # for the gateway to end its kernels, before it is killed
_REMOVE_SECONDS = 30.0
_ANSWER_SECONDS = 5.0  # for one answer while the server starts
_NOBODYS_PORT = 1  # which nothing listens at
_PAUSES = (0.02, 0.05, 0.1, 0.2)  # seconds between questions; the last one repeats
_GONE = (404, 409)  # what the engine says of a container that is removed, or being removed


class ServerContainer:
    """A container whose port 8888 is a Jupyter server's. Nothing is left of it if the constructor raises.

    Args:
        client: The engine's; stays the caller's.
        image: What it is made of, one of Docker's SDK.
        options: Further options of Docker's SDK; the environment has the TOKEN.
        handover: The socket that the server inside is to listen with; None if port 8888 is published.
        remove: Whether the engine deletes it when it ends.
        ends_with_us: Whether it ends with this program.
        start_timeout: Seconds until it must answer.

    Raises:
        ConfigError: The SDK does not know an option.
        StartError: The engine refuses.
        ServerStartError: The container ended, or did not answer in time; the message has the end of its log.
    """

    def __init__(
        self,
        client: Any,
        image: Any,
        options: Mapping[str, Any],
        handover: ListenerHandover | None,
        *,
        remove: bool,
        ends_with_us: bool,
        start_timeout: float,
    ) -> None:
        self._client = client
        self._image = image
        self._options = options
        self._handover = handover
        self._remove = remove
        self._ends_with_us = ends_with_us
        self._start_timeout = start_timeout
        self._owner = os.getpid()
        self._attachment: Attachment | None = None
        self._lifeline: socket.socket | None = None
        let_go_in_children(self)
        self._stopped = False
        self._container = self._create()
        try:
            self.connection_info = self._start()
        except BaseException:
            try:
                self._end(lambda: self._container.remove(force=True), removes=True)
            finally:
                self._detach()
            raise
        if ends_with_us:
            atexit.register(self._stop_at_exit)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self._container.name)

    def stop(self) -> None:
        """Stops it; more than one call does no harm, nor does a container that is gone."""
        if self._stopped:
            return
        self._stopped = True
        atexit.unregister(self._stop_at_exit)
        try:
            self._end(lambda: self._container.stop(timeout=_STOP_SECONDS), removes=self._remove)
        finally:
            self._detach()

    def let_go(self) -> None:
        """In a forked child: leaves the container to the owner."""
        if self._lifeline is not None:
            self._lifeline.close()

    def _create(self) -> Any:
        from docker.errors import APIError, DockerException

        try:
            return self._client.containers.create(
                self._image, auto_remove=self._remove, stdin_open=self._ends_with_us, **self._options
            )
        except APIError as error:
            raise StartError(f"A container of {self._image_name} cannot be made: {reason_of(error)}.") from error
        except (DockerException, TypeError, ValueError) as error:
            raise ConfigError(
                f"Docker's SDK does not take an argument that was to be passed on to it: {str(error).rstrip('.')}."
            ) from error

    def _start(self) -> JupyterConnectionInfo:
        from docker.errors import APIError

        try:
            self._attachment = Attachment(self._container, hold_stdin=self._ends_with_us)
            self._container.start()
            info = self._where() if self._handover is None else self._handed(self._handover, self._attachment)
        except APIError as error:
            raise StartError(f"The container {self.name} does not start: {reason_of(error)}.") from error
        background_loop().call(self._await_answer(info, self._attachment))
        return info

    def _where(self) -> JupyterConnectionInfo:
        self._container.reload()
        token = self._options["environment"]["TOKEN"]
        if self._container.attrs["HostConfig"]["NetworkMode"] == "host":
            return JupyterConnectionInfo("127.0.0.1", False, GATEWAY_PORT, token)
        published = self._container.ports.get(PORT)
        if not published and not self._has_ended():
            raise StartError(
                f"The container {self.name} has no network by which its port {PORT} could be reached from here. "
                "Give it one, as with network='bridge'."
            )
        # Of a container that has ended no port is known; whoever waits for its answer is told so once its log is read.
        port = int(published[0]["HostPort"]) if published else _NOBODYS_PORT
        return JupyterConnectionInfo("127.0.0.1", False, port, token)

    def _handed(self, handover: ListenerHandover, attachment: Attachment) -> JupyterConnectionInfo:
        """Gives the server inside its socket."""
        if not handover.give(lambda: attachment.ended, self._start_timeout):
            what = (
                "ended at its start" if attachment.ended else f"did not ask for its socket in {self._start_timeout:g} s"
            )
            raise self._error(what, attachment)
        if self._ends_with_us:
            self._lifeline = handover.lifeline.dup()
        return JupyterConnectionInfo("127.0.0.1", False, handover.port, self._options["environment"]["TOKEN"])

    def _has_ended(self) -> bool:
        return bool(self._container.status not in ("created", "running"))

    async def _await_answer(self, info: JupyterConnectionInfo, attachment: Attachment) -> None:
        """Waits until the server answers as it must.

        Raises:
            ServerStartError: It ended before, or its time was over, or it answered something else, or somebody else did.
        """
        last = "it was not asked"
        try:
            async with (
                AsyncJupyterClient(info, timeout=_ANSWER_SECONDS) as client,
                asyncio.timeout(self._start_timeout),
            ):
                for attempt in range(10**9):
                    if attachment.ended:
                        raise self._error("ended at its start", attachment)
                    try:
                        await client.list_kernels()
                        open_to_all = info.token and await _lets_in(replace(info, token=f"not {info.token}"))
                    except AuthError as error:
                        raise self._error(f"refuses to list its kernels: {error}", attachment) from error
                    except (TransportError, ProtocolError) as error:
                        last = str(error)
                    else:
                        break
                    await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
        except TimeoutError as error:
            what = f"did not answer within {self._start_timeout:g} s. At last: {last}"
            raise self._error(what, attachment) from error
        if open_to_all:  # a server that never heard of our token may be somebody else's
            raise self._error(f"takes any token, or something else answers at {info.url}", attachment)
        if attachment.ended:
            raise self._error(f"ended at its start, and something else answers at {info.url}", attachment)

    def _error(self, what: str, attachment: Attachment) -> ServerStartError:
        return ServerStartError(
            f"The container {self.name}, made of {self._image_name} and run as {self._user}, was to serve Jupyter on port "
            f"8888, but it {what.rstrip('.')}. The image must run Jupyter Kernel Gateway there, with the token in TOKEN and "
            f"list_kernels=true. The end of its log:\n{attachment.tail or '(nothing)'}"
        )

    @property
    def _image_name(self) -> str:
        return str(next(iter(self._image.tags), self._image.short_id))

    @property
    def _user(self) -> str:
        return f"user {self._options['user']}" if "user" in self._options else "its own user"

    def _end(self, end: Callable[[], None], *, removes: bool) -> None:
        from docker.errors import APIError
        from requests import RequestException

        try:
            end()
        except APIError as error:
            if error.status_code not in _GONE:
                raise StartError(f"The container {self.name} does not stop: {reason_of(error)}.") from error
        except RequestException as error:
            raise StartError(f"The container {self.name} cannot be stopped: the engine does not answer.") from error
        if removes:
            self._await_removal()

    def _await_removal(self) -> None:
        """Returns once the container is deleted, which the engine does after its answer."""
        # Neither waiting for it nor looking at it is safe while podman removes it; a list is.
        until = time.monotonic() + _REMOVE_SECONDS
        while self._client.containers.list(all=True, filters={"id": self._container.id}, sparse=True):
            if time.monotonic() > until:
                raise StartError(
                    f"The container {self.name} was stopped, but the engine does not remove it: do it by hand."
                )
            time.sleep(_PAUSES[0])

    def _detach(self) -> None:
        self.let_go()
        if self._attachment is not None:
            self._attachment.close()

    def _stop_at_exit(self) -> None:
        if os.getpid() == self._owner:  # a forked child must not end its parent's container
            self.stop()


async def _lets_in(info: JupyterConnectionInfo) -> bool:
    """Whether a server takes a token."""
    async with AsyncJupyterClient(info, timeout=_ANSWER_SECONDS) as stranger:
        try:
            await stranger.list_kernels()
        except AuthError:
            return False
    return True
