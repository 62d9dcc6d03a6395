"""The way into a container that has no network: a socket that listens on this machine and is handed in when it starts.

A socket stays in the network it was made in, whoever holds it. So the server inside takes connections of this machine's
loopback, while the code beside it reaches nothing: not even the server, whose process lets nobody look into it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import sys
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cellblock.errors import ConfigError
from cellblock.kernels.handover import runtime_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["GATEWAY_PORT", "ListenerHandover", "handover_for", "why_not_handed_over"]

_log = logging.getLogger(__name__)

_ON_THIS_KERNEL = ("runc", "io.containerd.runc.v2", "crun", "youki", "nvidia")  # runtimes; gVisor and kata are not
_INSIDE = "/run/cellblock"
GATEWAY_PORT = 8888
"""Where the server of an image listens that is given no socket."""

_CONTROL = "control"
_LOOK_EVERY = 0.05  # seconds
_ENTRYPOINT = [
    "/opt/cellblock/venv/bin/python",
    "/opt/cellblock/gateway.py",
]  # of the bundled image and those made of it


def why_not_handed_over(engine: Any, image: Any, runtime: str | None) -> str | None:
    """Why a container can only be reached by a network; None if it can be reached without.

    Args:
        engine: A client of Docker's SDK.
        image: What the container is made of.
        runtime: The engine's runtime that the container is to have; None for its default.
    """
    if image.attrs["Config"].get("Entrypoint") != _ENTRYPOINT:
        return "its image is not the bundled one, or one made of it, whose server takes a socket that listens already"
    info = engine.info()
    unix = os.environ.get("DOCKER_HOST", "unix://").startswith("unix://")
    if sys.platform != "linux" or not unix or info.get("Name") != os.uname().nodename:
        return (
            "the engine is on another machine, or in a virtual one, where a socket of this machine cannot be handed in"
        )
    if any("selinux" in option for option in info.get("SecurityOptions") or ()):
        return "SELinux keeps containers from sockets of this machine"
    used = PurePosixPath(runtime or info.get("DefaultRuntime") or "runc").name
    if used not in _ON_THIS_KERNEL:
        return f"its runtime {used} may have a kernel of its own, which takes no socket of this machine's"
    return None


class ListenerHandover:
    """A listening socket for one container.

    Args:
        folder: A private folder, which lasts until the container has the socket.

    Attributes:
        port: Where it listens, on this machine's 127.0.0.1.
        environment: Variables that the container needs.
        lifeline: Connected to the server inside, which may end when this ends; whoever wants that keeps a copy.
    """

    def __init__(self, folder: Path) -> None:
        self._shown = folder / "shown"
        self._shown.mkdir(mode=0o755)  # the container's user is not the folder's
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.environment = {"CELLBLOCK_LISTENER": f"{_INSIDE}/{_CONTROL}"}
        # Code in the container can open the standard input of the first process there, and hold it, but no socket.
        self.lifeline, self._theirs = socket.socketpair()
        self._control = socket.socket(socket.AF_UNIX)
        control = self._shown / _CONTROL
        self._control.bind(str(control))
        control.chmod(0o666)
        self._control.listen(1)

    @property
    def mount(self) -> Any:
        """What shows the way to it in the container, as Docker's SDK takes it."""
        from docker.types import Mount

        return Mount(_INSIDE, str(self._shown), type="bind", read_only=True)

    def give(self, ended: Callable[[], bool], timeout: float) -> bool:
        """Waits for the server inside and gives it the socket; tells whether it came.

        The server comes before there is any code, and nobody gets anything after it.

        Args:
            ended: Whether the container has ended.
            timeout: Seconds it may take.
        """
        until = time.monotonic() + timeout
        while not ended() and time.monotonic() < until:
            if select.select([self._control], [], [], _LOOK_EVERY)[0]:
                connection, _ = self._control.accept()
                with connection:
                    socket.send_fds(connection, [b"x"], [self._listener.fileno(), self._theirs.fileno()])
                return True
        return False

    def close(self) -> None:
        """Lets go of the sockets here."""
        for held in (self._listener, self._control, self._theirs, self.lifeline):
            held.close()


@contextlib.contextmanager
def handover_for(
    engine: Any, image: Any, runtime: str | None, *, needs_network: bool | None, on_hosts_network: bool = False
) -> Iterator[ListenerHandover | None]:
    """What is handed to a container while it starts, unless it has a network of its own to be reached by; then None.

    One that shares this machine's network gets a socket too, if it can: so it needs no port that may be taken, and listens
    on no address that neighbours reach.

    Args:
        engine: A client of Docker's SDK.
        image: What the container is made of.
        runtime: As for ``why_not_handed_over``.
        needs_network: Whether it must have a network or must not; None if it should not.
        on_hosts_network: Whether the network is this machine's own.

    Raises:
        ConfigError: It must not, and cannot be reached without; or it can only be reached by a port that is taken here.
    """
    wanted = on_hosts_network or not needs_network
    why_not = why_not_handed_over(engine, image, runtime) if wanted else None
    if not wanted or why_not is not None:
        if on_hosts_network:
            _check_free(GATEWAY_PORT)
        elif needs_network is False:
            raise ConfigError(f"The container was to have no network, but {why_not}. Leave network=False out.")
        elif needs_network is None:
            _log.warning("The container has a network: %s. Pass network=True if that is what you want.", why_not)
        yield None
        return
    with runtime_folder() as folder, contextlib.closing(ListenerHandover(folder)) as handover:
        yield handover


def _check_free(port: int) -> None:
    """Whoever listens there would be taken for the container's server.

    Raises:
        ConfigError: Somebody does.
    """
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise ConfigError(
            f"The container was to share this machine's network and to serve on its port {port}, but that cannot be had "
            f"({os.strerror(error.errno or 0)}). Stop what listens there, or leave the container a network of its own."
        ) from error
