"""The container's service: Jupyter Kernel Gateway on port 8888, which passes on all that its kernels say, at once.

From the environment it takes, and its kernels do not get:

``TOKEN``               what clients must send; the empty string lets everybody in, so it must be given
``CELLBLOCK_LIFELINE``  if set, the end of standard input ends the gateway: whoever started the container is gone. So does
                        the end of a socket that comes with the one to listen with
``CELLBLOCK_LISTENER``  where to get the socket to listen with, instead of port 8888: a container may have no network
``CELLBLOCK_ADDRESS``   where to listen on port 8888: all addresses if not given, which are the container's own; a container
                        that shares the network of its machine must not serve the machine's neighbours
``CELLBLOCK_POOL``      how many kernels wait to be used
``CELLBLOCK_PRELOAD``   packages that kernels have imported already, with commas between

Its kernels are those of a local server of cellblock's, forked from a process that is warm, where Python is 3.11 or newer,
as that part of cellblock needs. With an older one they are plain: ``kernel.py``. Arguments are the gateway's own.
"""

# ruff: noqa: INP001, E402  a program, run by path; imports come between measures
from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

# A grammar for format checks that nobody asks for takes longer to import than all the rest.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from kernel_gateway.gatewayapp import KernelGatewayApp
from tornado.httpserver import HTTPServer
from traitlets.config import Config

FORKS = sys.version_info >= (3, 11)  # the Dockerfile asks the same


class Connection(ZMQChannelsWebsocketConnection):  # type: ignore[misc]
    """A client's connection that sends small frames without waiting for an acknowledgement of the last."""

    def connect(self) -> Any:
        """Opens the kernel's channels."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()


class Gateway(KernelGatewayApp):  # type: ignore[misc]
    """A gateway that may be given the socket it listens with."""

    listener: socket.socket | None = None

    def init_http_server(self) -> None:
        """Makes the server, which listens from then on."""
        if self.listener is None:
            super().init_http_server()
        else:
            self.http_server = HTTPServer(self.web_app, xheaders=self.trust_xheaders)
            self.http_server.add_socket(self.listener)


def main() -> None:
    """Serves until it is told to stop."""
    close_to_others()
    lifelines = [0]
    if control := os.environ.pop("CELLBLOCK_LISTENER", None):
        Gateway.listener, lifeline = handed_over(control)
        lifelines.append(lifeline)
    token = os.environ.pop("TOKEN", None)
    if token is None:
        sys.exit("Set TOKEN in the container's environment: a token for the clients, or an empty string for none.")
    if os.environ.pop("CELLBLOCK_LIFELINE", None):
        for descriptor in lifelines:
            threading.Thread(target=end_with_owner, args=(descriptor,), name="lifeline", daemon=True).start()
    settings = Config()
    settings.KernelGatewayApp.ip = os.environ.pop("CELLBLOCK_ADDRESS", "0.0.0.0")  # noqa: S104  what is published is for the engine to say
    settings.KernelGatewayApp.port = 8888
    settings.KernelGatewayApp.port_retries = 0
    settings.KernelGatewayApp.auth_token = token
    settings.JupyterApp.answer_yes = True
    settings.JupyterWebsocketPersonality.list_kernels = True
    settings.Connection.limit_rate = False
    settings.KernelRestarter.time_to_dead = 0.2  # seconds between looks whether a kernel has died
    pool, preload = os.environ.pop("CELLBLOCK_POOL", "0"), os.environ.pop("CELLBLOCK_PRELOAD", "")
    if FORKS:
        serve_forked(settings, pool, preload)
    elif pool != "0" or preload:
        sys.exit("Kernels that wait, or have imported packages, need Python 3.11 or newer in the image.")
    else:
        settings.KernelGatewayApp.kernel_websocket_connection_class = Connection
        Gateway.launch_instance(config=settings)


def serve_forked(settings: Config, pool: str, preload: str) -> None:
    """Serves with kernels as a local server of cellblock's has them.

    Args:
        settings: The rest of the configuration.
        pool: See ``CELLBLOCK_POOL``.
        preload: See ``CELLBLOCK_PRELOAD``.
    """
    from cellblock.errors import ConfigError
    from cellblock.kernels.server_kernels import Kernels
    from cellblock.servers.local_server_main import Connection as TellingConnection

    if not pool.isdecimal():
        sys.exit(f"CELLBLOCK_POOL must be a number of kernels, such as 4; it was {pool!r}.")
    settings.KernelGatewayApp.kernel_manager_class = Kernels
    settings.KernelGatewayApp.kernel_websocket_connection_class = TellingConnection
    settings.Kernels.kernel_manager_class = "cellblock.kernels.server_kernels.OneKernel"
    settings.Kernels.pool = int(pool)
    settings.Kernels.preload = [package for package in preload.split(",") if package]
    settings.Kernels.root_dir = str(Path.cwd())
    settings.OneKernel.transport = "ipc"
    try:
        Gateway.launch_instance(config=settings)
    except ConfigError as error:
        sys.exit(str(error))


def close_to_others() -> None:
    """Keeps code that runs as the same user from this process's memory, and so from its socket and its token."""
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE; what is started from here is open again


def handed_over(path: str) -> tuple[socket.socket, int]:
    """The listening socket that whoever started the container hands in, and the descriptor of a second lifeline.

    Args:
        path: Of the socket it is handed over by.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 2, socket.MSG_CMSG_CLOEXEC)
    listener = socket.socket(fileno=descriptors[0])
    listener.setblocking(False)
    return listener, descriptors[1]


def end_with_owner(lifeline: int) -> None:
    """Waits for the end of a lifeline, and ends the container's first process with everything beneath it.

    Args:
        lifeline: A descriptor.
    """
    while os.read(lifeline, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
