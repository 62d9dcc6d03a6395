"""A Docker container that commands are run in, and that does not outlive this program.

While this program lives it holds the container's standard input open, and the container's first process does nothing
but wait for its end. So the container ends with this program, even with one that is killed.
"""

from __future__ import annotations

import atexit
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cellblock.coding.command import Cancelled, Finished, KeptText
from cellblock.errors import ImageError, StartError
from cellblock.servers.docker_engine import connect_engine, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["WORKSPACE", "CommandContainer"]

WORKSPACE = "/workspace"
"""Where a container sees the bound directory."""

_GROUP_FILE = "/tmp/.cellblock-process-group"  # noqa: S108  inside the container, which has one user of it
_KEEPER_FILE = "/tmp/.cellblock-keeper"  # noqa: S108
_START_SECONDS = 30.0
_KILL_SECONDS = 1  # between SIGTERM and SIGKILL at the deadline
_REPLY_SECONDS = 5.0  # for Docker to tell us of an end that has happened
_POLL_SECONDS = 0.25
_REMOVE_SECONDS = 30.0

# timeout(1) leads a process group that holds all the command starts; its id is kept so that Ctrl-C can end it too.
_RUN_SCRIPT = f'echo $$ >{_GROUP_FILE}; exec timeout -k {_KILL_SECONDS} "$@"'
_KILL_SCRIPT = f"kill -s KILL -- -$(cat {_GROUP_FILE})"

# The container's first process, under Docker's own init; its id tells it from the others when all of them are ended.
_WAIT_FOR_US = f"echo $$ >{_KEEPER_FILE}; read _"
_WAIT_FOR_EVER = f"echo $$ >{_KEEPER_FILE}; while :; do sleep 86400; done"
_KILL_ALL_SCRIPT = (
    f"for process in /proc/[0-9]*; do case ${{process#/proc/}} in 1|$$|$(cat {_KEEPER_FILE})) ;; "
    "*) kill -s KILL ${process#/proc/} 2>/dev/null;; esac; done; true"
)


class CommandContainer:
    """A running container.

    Args:
        image: What it is made of; pulled if it is not here.
        name: Its name; a new one if not given.
        directory: What it sees as /workspace.
        remove: Whether it is deleted when it stops.
        ends_with_us: Whether it stops when this program ends.

    Raises:
        MissingDependency: The Docker SDK is not installed.
        ImageError: The image is not here and cannot be pulled.
        StartError: Docker cannot be reached, or the container does not start.
    """

    def __init__(self, image: str, *, name: str | None, directory: Path, remove: bool, ends_with_us: bool) -> None:
        self._docker = connect_engine()
        self._image = image
        self._name = name or f"autogen-code-exec-{uuid.uuid4()}"
        self._remove = remove
        self._ends_with_us = ends_with_us
        self._owner = os.getpid()
        self._lifeline: Any = None
        self._stopped = False
        try:
            _have_image(self._docker, image)
            self._container = self._create(directory.resolve())
            try:
                self._start()
            except BaseException:
                self._container.remove(force=True)
                raise
        except BaseException:
            self._close_connections()
            raise
        if ends_with_us:
            atexit.register(self._stop_at_exit)

    def run(self, command: Sequence[str], *, timeout: int, cancelled: threading.Event) -> Finished:
        """Runs a command in /workspace, without a standard input.

        Args:
            command: The program and its arguments.
            timeout: Seconds until it and all processes of its group are ended.
            cancelled: Set by another thread to have them ended at once.

        Returns:
            Its exit code (124 if its time was over) and, as ``stdout``, what it wrote to both streams in order.

        Raises:
            StartError: The container is gone.
            Cancelled: ``cancelled`` was set.
        """
        if self._stopped:
            raise StartError(f"The container {self._name} was stopped. Make a new executor.")
        started = time.monotonic()
        arguments = ["/bin/sh", "-c", _RUN_SCRIPT, "sh", str(timeout), *command]
        try:
            execution = self._docker.api.exec_create(
                self._container.id, arguments, workdir=WORKSPACE, environment={"PYTHONUNBUFFERED": "1"}
            )["Id"]
            connection = self._docker.api.exec_start(execution, socket=True)
        except self._errors.APIError as error:
            raise StartError(f"The container {self._name} cannot run the block: {reason_of(error)}.") from error
        reader = _OutputReader(connection)
        try:
            deadline = started + timeout + _KILL_SECONDS + _REPLY_SECONDS
            exit_code = self._wait(execution, reader, deadline, cancelled)
        except BaseException:
            self._run_detached(_KILL_SCRIPT)
            raise
        finally:
            reader.close()
            self._docker.close()  # the SDK keeps a connection for each execution; it makes new ones as it needs them
        over = time.monotonic() - started >= timeout and exit_code in (None, 124, 137)
        return Finished(124 if over or exit_code is None else exit_code, reader.text(), "")

    def restart(self) -> None:
        """Ends every process in the container, which is started again if it does not run.

        Docker's own restart is not used: it can end the container for good, by taking the end of the old standard input
        for that of the new one.

        Raises:
            StartError: It does not start again.
        """
        self._container.reload()
        if self._container.status == "running":
            self._run_detached(_KILL_ALL_SCRIPT)
        else:
            self._start()

    def stop(self) -> None:
        """Stops the container; more than one call does no harm."""
        if self._stopped:
            return
        self._stopped = True
        atexit.unregister(self._stop_at_exit)
        with suppress(self._errors.NotFound):
            self._container.stop(timeout=1)
            if self._remove:  # Docker deletes it after the answer to stop
                self._container.wait(condition="removed", timeout=_REMOVE_SECONDS)
        self._close_connections()

    def _stop_at_exit(self) -> None:
        if os.getpid() == self._owner:  # a forked child must not end its parent's container
            self.stop()

    @property
    def _errors(self) -> Any:
        import docker.errors

        return docker.errors

    def _close_connections(self) -> None:
        if self._lifeline is not None:
            _close_socket(self._lifeline)
        self._docker.close()

    def _run_detached(self, script: str) -> None:
        execution = self._docker.api.exec_create(self._container.id, ["/bin/sh", "-c", script])["Id"]
        self._docker.api.exec_start(execution, detach=True)
        while self._docker.api.exec_inspect(execution)["Running"]:
            time.sleep(0.01)

    def _create(self, directory: Path) -> Any:
        try:
            return self._docker.containers.create(
                self._image,
                name=self._name,
                auto_remove=self._remove,
                init=True,
                security_opt=["no-new-privileges"],
                volumes={str(directory): {"bind": WORKSPACE, "mode": "rw"}},
                working_dir=WORKSPACE,
                entrypoint=["/bin/sh", "-c", _WAIT_FOR_US if self._ends_with_us else _WAIT_FOR_EVER],
                stdin_open=self._ends_with_us,
            )
        except self._errors.APIError as error:
            raise StartError(f"A container of {self._image} cannot be made: {reason_of(error)}.") from error

    def _start(self) -> None:
        try:
            self._container.start()
            if self._lifeline is not None:
                _close_socket(self._lifeline)
            if self._ends_with_us:
                self._lifeline = self._docker.api.attach_socket(self._container.id, {"stdin": 1, "stream": 1})
            self._await_running()
        except self._errors.APIError as error:
            raise StartError(f"The container {self._name} does not start: {reason_of(error)}.") from error

    def _await_running(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        self._container.reload()
        while self._container.status == "created" and time.monotonic() < deadline:
            time.sleep(0.05)
            self._container.reload()
        if self._container.status != "running":
            log = self._container.logs(tail=20).decode("utf-8", errors="replace").strip()
            raise StartError(
                f"The container {self._name} made of {self._image} does not run: it is {self._container.status}. {log}"
            )

    def _wait(self, execution: str, reader: _OutputReader, deadline: float, cancelled: threading.Event) -> int | None:
        """The exit code, or None if there is none by the deadline."""
        while not reader.ended_within(_POLL_SECONDS):
            if cancelled.is_set():
                raise Cancelled
            if not self._docker.api.exec_inspect(execution)["Running"]:
                # A process left in the background still holds the stream; what the command wrote is on its way.
                reader.ended_within(2 * _POLL_SECONDS)
                break
            if time.monotonic() > deadline:
                return None
        code = self._docker.api.exec_inspect(execution)["ExitCode"]
        return None if code is None else int(code)


class _OutputReader:
    """Reads what an execution writes, in a thread of its own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._kept = KeptText()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="cellblock-output", daemon=True)
        self._thread.start()

    def ended_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def text(self) -> str:
        with self._lock:
            return self._kept.text()

    def close(self) -> None:
        _close_socket(self._connection)
        self._thread.join()

    def _read(self) -> None:
        from docker.utils.socket import frames_iter

        with suppress(OSError, ValueError):  # closed while it was read
            for _, chunk in frames_iter(self._connection, tty=False):
                with self._lock:
                    self._kept.add(chunk)


def _close_socket(connection: Any) -> None:
    """Closes a connection that Docker's SDK gave as a socket, as a file over one, or as its own kind of either.

    A file is closed by way of the response it was taken from, which would else complain of it later.
    """
    beneath = whole = connection
    if isinstance(connection, socket.SocketIO):
        beneath, whole = getattr(connection, "_sock"), getattr(connection, "_response")  # noqa: B009
    with suppress(OSError):  # the other side has closed it already
        beneath.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads from it
    whole.close()
    beneath.close()


def _have_image(client: Any, image: str) -> None:
    from docker.errors import APIError, ImageNotFound

    try:
        client.images.get(image)
    except ImageNotFound:
        try:
            client.images.pull(image)
        except APIError as error:
            raise ImageError(
                f"The image {image} is not here and cannot be pulled: {reason_of(error)}. Build it, or name another."
            ) from error
