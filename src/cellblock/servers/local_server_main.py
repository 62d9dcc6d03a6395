"""The program of a local Jupyter server: Jupyter Server for one program as its client, tied to that program's life.

It is run by its path. On its standard input it gets one line of JSON, its configuration. Anything more, or the end of
that input, which means that the owner is gone, ends everything. On its standard output it says one line of JSON,
``{"port": …}``, once it serves, or ``{"refused": …}``, why the packages must not be preloaded; what it says before that and
is no such line is why it could not.

``ip``, ``port``      where to listen; port 0 is any that is free
``token``             what clients must send; empty for none
``root_dir``          where files are served from and kernels start
``pool``              how many kernels wait to be used
``preload``           packages that kernels have imported already
``sandbox``           the arguments of what confines kernels; null for nothing
``state_dir``         a private folder for the kernels' sockets and connection files, removed at the end
``log_file``, ``log_level``, ``log_max_bytes``, ``log_backup_count``

What differs from a stock server, and why: no terminals and no extensions (nobody asks for them), no configuration files
of the user's (they are for another server), no files that hold the token, no limit on the rate of output (it drops
output), small frames are sent at once, a kernel's death is noticed in a fifth of a second rather than in three seconds and
told with what the kernel could not send any more, and kernels listen on sockets in a private folder rather than on ports
every user of the machine can read from.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

# A grammar for format checks that nobody asks for takes longer to import than all the rest.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

from jupyter_server.serverapp import ServerApp  # noqa: E402
from jupyter_server.services.kernels.connection.base import serialize_msg_to_ws_v1  # noqa: E402
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection  # noqa: E402
from traitlets.config import Config  # noqa: E402

if TYPE_CHECKING:
    import logging

PACKAGES = str(Path(__file__).parents[2])
KERNELS = "cellblock.kernels.server_kernels"  # by name: no server imports what starts kernels
CONFINED = "cellblock.kernels.server_sandbox"
LAST_WORDS = "last_words"  # type of the message that kernels/remote.py knows
FILE_SERVICES = ("contents", "files", "nbconvert", "view")  # those of root_dir, which confined kernels do not see
DEATH_NOTICED_WITHIN = 0.2  # seconds
SHUTDOWN_GRACE = 1.0  # seconds a kernel has to run its exit handlers
END_GRACE = 5.0  # seconds for all kernels together


class Connection(ZMQChannelsWebsocketConnection):  # type: ignore[misc]
    """A client's connection, with less waiting and with last words.

    Small frames do not wait for the acknowledgement of those before. A kernel of ours is not asked whether it answers and is
    heard, but greets each new subscriber.
    """

    _subscribes = False

    def connect(self) -> Any:
        """Opens the kernel's channels."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()

    def create_stream(self) -> None:
        """Connects to the kernel's sockets."""
        super().create_stream()
        self._subscribes = True

    def request_kernel_info(self) -> Any:
        """Asks what protocol the kernel speaks, which is known of one of ours."""
        if not self._greets:
            return super().request_kernel_info()
        known = asyncio.get_running_loop().create_future()
        known.set_result({})
        return known

    def nudge(self) -> Any:
        """Waits until what the kernel says reaches the client."""
        if not self._greets or not self._subscribes or self.kernel_manager.execution_state == "busy":
            return super().nudge()
        return asyncio.ensure_future(self._greeting(self.channels["iopub"]))

    async def _greeting(self, iopub: Any) -> None:
        greeted = asyncio.get_running_loop().create_future()

        def on_message(_: Any) -> None:
            iopub.stop_on_recv()
            if not greeted.done():
                greeted.set_result(None)

        iopub.on_recv(on_message)
        with contextlib.suppress(TimeoutError):  # its client notices what is wrong sooner, and in words
            await asyncio.wait_for(greeted, self.kernel_info_timeout)

    @property
    def _greets(self) -> bool:
        return sys.platform != "win32" and bool(self.kernel_manager.greets)

    def on_kernel_restarted(self) -> None:
        """Tells the client that the kernel died and is started again."""
        self._tell_last_words()
        super().on_kernel_restarted()

    def on_restart_failed(self) -> None:
        """Tells the client that the kernel died once too often."""
        self._tell_last_words()
        super().on_restart_failed()

    def _tell_last_words(self) -> None:
        """Sends what the kernel wrote and may not have sent, in a message of our own."""
        if sys.platform == "win32" or not self.subprotocol:
            return
        message = self.session.msg(LAST_WORDS)
        parts = [self.session.pack(message[part]) for part in ("header", "parent_header", "metadata", "content")]
        frame = serialize_msg_to_ws_v1([*parts, self.kernel_manager.last_words()], "iopub")
        self.write_message(frame, binary=True)


class Server(ServerApp):  # type: ignore[misc]
    """Jupyter Server on a socket that listens already."""

    listener: socket.socket

    def load_config_file(self, suppress_errors: bool = True) -> None:
        """Loads none."""

    def _find_http_port(self) -> None:
        self.port = self.listener.getsockname()[1]

    def _bind_http_server(self) -> None:
        self.http_server.add_socket(self.listener)
        self._announce()

    def init_signal(self) -> None:
        """Installs no handlers: the end of standard input is what ends this server."""

    async def end(self) -> None:
        """Ends the kernels and then the loop."""
        await self.cleanup_kernels()
        self.io_loop.stop()

    def _announce(self) -> None:
        """Tells the owner that the server serves; from here on both streams go to the log."""
        sys.stdout.write(json.dumps({"port": self.port}) + "\n")
        sys.stdout.flush()
        reader, writer = os.pipe()
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.close(writer)
        threading.Thread(target=_copy_to_log, args=(reader, self.log), name="log", daemon=True).start()


def _copy_to_log(reader: int, log: logging.Logger) -> None:
    """Logs what kernels and libraries write to the process's own streams; unread, they would wait for ever."""
    with os.fdopen(reader, errors="replace") as lines:
        for line in lines:
            log.info("%s", line.rstrip())


def settings(config: dict[str, Any]) -> Config:
    """The server's traits for our configuration."""
    made = Config()
    made.ServerApp.merge(
        {
            "allow_root": True,
            "ip": config["ip"],
            "kernel_websocket_connection_class": Connection,
            "logging_config": logging_config(config),
            "log_level": config["log_level"],
            "open_browser": False,
            "root_dir": config["root_dir"],
            "terminals_enabled": False,
        }
    )
    made.Connection.limit_rate = False
    made.KernelManager.shutdown_wait_time = SHUTDOWN_GRACE
    if config["sandbox"] is not None:
        made.ServerApp.kernel_manager_class = f"{CONFINED}.ConfinedKernels"
        made.MappingKernelManager.kernel_manager_class = f"{CONFINED}.ConfinedKernel"
        made.KernelManager.transport = "ipc"
    elif sys.platform != "win32":
        made.ServerApp.kernel_manager_class = f"{KERNELS}.Kernels"
        made.Kernels.pool = config["pool"]
        made.Kernels.preload = config["preload"]
        made.MappingKernelManager.kernel_manager_class = f"{KERNELS}.OneKernel"
        made.KernelManager.transport = "ipc"
    made.KernelRestarter.time_to_dead = DEATH_NOTICED_WITHIN
    return made


def logging_config(config: dict[str, Any]) -> dict[str, Any]:
    """A log file that is rotated, and nothing on the terminal."""
    return {
        "handlers": {
            "file": {
                "class": "logging.handlers.RotatingFileHandler",
                "filename": config["log_file"],
                "maxBytes": config["log_max_bytes"],
                "backupCount": config["log_backup_count"],
                "formatter": "console",
                "encoding": "utf-8",
            }
        },
        "formatters": {"console": {"format": "%(asctime)s %(levelname)s %(message)s", "class": "logging.Formatter"}},
        "loggers": {"Server": {"level": config["log_level"], "handlers": ["file"]}},
    }


def end_with_input(server: Server) -> None:
    """Waits for a word or the end on standard input, then ends the server and its kernels."""
    os.read(0, 1)
    server.io_loop.asyncio_loop.call_soon_threadsafe(lambda: asyncio.ensure_future(server.end()))
    time.sleep(END_GRACE)
    os._exit(1)  # the loop hangs; the kernels' lifelines end with this process


def main() -> None:
    """Serves until the owner is gone."""
    sys.path.append(PACKAGES)
    from cellblock.errors import ConfigError

    config = json.loads(sys.stdin.buffer.readline())
    listener = listen(config["ip"], config["port"])
    server = Server.instance(config=settings(config))
    server.listener = listener
    if config["sandbox"] is not None:
        server.default_services = tuple(name for name in server.default_services if name not in FILE_SERVICES)
    server.runtime_dir = config["state_dir"]
    try:
        server.initialize(argv=[], find_extensions=False)
        if config["sandbox"] is not None:
            server.kernel_manager.confine(
                config["sandbox"]
            )  # not among the settings, which are logged: it has an environment
    except ConfigError as error:
        sys.stdout.write(json.dumps({"refused": str(error)}) + "\n")
        sys.exit(1)
    server.identity_provider.token = config["token"]  # not among the settings, which are logged
    threading.Thread(target=end_with_input, args=(server,), name="lifeline", daemon=True).start()
    try:
        server.start_ioloop()
    finally:
        shutil.rmtree(config["state_dir"], ignore_errors=True)
        os._exit(0)  # nothing is left to be done, and threads of libraries may not end by themselves


def listen(ip: str, port: int) -> socket.socket:
    """A listening socket; ends the program with one sentence if there can be none."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        listener = socket.create_server((ip, port), family=family, backlog=128)
    except OSError as error:
        sys.exit(f"The server cannot listen on {ip} port {port}: {error.strerror}.")
    listener.setblocking(False)
    return listener


if __name__ == "__main__":
    main()
