"""The options a container is created with: who it runs as, what it sees of this machine, and how it is reached."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cellblock.errors import ConfigError
from cellblock.servers.docker_sockets import refuse_sockets

if TYPE_CHECKING:
    from cellblock.servers.docker_confinement import Confinement
    from cellblock.servers.docker_handover import ListenerHandover

    Volumes = Mapping[str, Mapping[str, str]] | Sequence[str]

__all__ = ["PORT", "WORKSPACE", "ContainerPlan"]

PORT = "8888/tcp"
"""The container's port that the server is at."""

WORKSPACE = "/workspace"
"""Where a container sees the working directory."""

_SCRATCH = "/tmp"  # noqa: S108  the container's own
_UID = 1000  # of the bundled image's user, and of one whose image would have it run as root
_LOOPBACK = "127.0.0.1"
_INSTEAD = {
    "auto_remove": "auto_remove",
    "detach": "",
    "environment": "docker_env",
    "image": "custom_image_name",
    "name": "container_name",
    "remove": "auto_remove",
    "stdin_open": "",
    "tty": "",
}
"""Docker's names for what has a parameter of our own, or is no choice here."""


@dataclass(frozen=True, kw_only=True)
class ContainerPlan:
    """What a container is to be, beside its image. The attributes are parameters of ``DockerJupyterServer``.

    Attributes:
        confinement: What the code may do and use.
        name: The container's.
        environment: The container's.
        labels: The container's; those of ``docker_kwargs`` are added.
        network: Whether it has one, or which.
        volumes: Further files and directories of this machine's.
        work_dir: What the container sees as its workspace.
        user: As whom it runs.
        gpus: Which graphics processors it gets.
        allow_docker_socket: Whether what it sees of this machine may hold an engine's socket.
        docker_kwargs: The caller's further options; they win.

    Raises:
        ConfigError: One of them cannot be used.
    """

    confinement: Confinement
    name: str
    environment: Mapping[str, str] = field(repr=False)  # it has the token
    labels: Mapping[str, str]
    network: bool | str | None
    volumes: Volumes
    work_dir: Path | None
    user: str | None
    gpus: int | Literal["all"] | Sequence[str] | None
    allow_docker_socket: bool
    docker_kwargs: Mapping[str, Any]

    def __post_init__(self) -> None:
        _check_kwargs(self.docker_kwargs)
        if self.network is not None and "network_mode" in self.docker_kwargs:
            raise ConfigError("Leave out network= or network_mode=: both say which network the container has.")
        if self.work_dir is not None:
            _check_work_dir(self.work_dir)
        if isinstance(self.gpus, str) and self.gpus != "all":
            raise ConfigError(f'gpus must be a number, "all", or a list of ids; it was {self.gpus!r}.')
        if not self.allow_docker_socket:
            refuse_sockets(self._sources())

    @property
    def on_hosts_network(self) -> bool:
        """Whether it shares the network of its machine."""
        return "host" in (self.network, self.docker_kwargs.get("network_mode"))

    @property
    def needs_network(self) -> bool | None:
        """Whether the caller's options are for a container with a network or for one without; None if they say neither."""
        mode = self.docker_kwargs.get("network_mode")
        if self.network is False or mode == "none":
            return False
        asked = self.network or mode or self.docker_kwargs.keys() & {"ports", "publish_all_ports", "networking_config"}
        return True if asked else None

    def options(
        self, image: Any, *, bundled: bool, engine_cpus: int, profile: str, handover: ListenerHandover | None
    ) -> dict[str, Any]:
        """The options to create a container with, as Docker's SDK takes them.

        Args:
            image: One of the SDK.
            bundled: Whether it is of our making, and so ready for any user.
            engine_cpus: How many processors the engine has.
            profile: Our rules on system calls, in the engine's form.
            handover: What the server listens with if the container has no network.
        """
        options: dict[str, Any] = {"name": self.name, "volumes": _binds(self.volumes)}
        options |= self.confinement.options(engine_cpus, profile, self.docker_kwargs) | _gpu_options(self.gpus)
        user, needs_home = self._user(image, bundled=bundled)
        options |= {"user": user} if user else {}
        # A user the image does not know has no home that it may write to.
        home = {"HOME": _SCRATCH} if needs_home else {}
        options |= {"working_dir": _SCRATCH} if needs_home else {}
        if self.work_dir is not None:
            _hand_over(self.work_dir, user or _user_of(image))
            options["volumes"].append(f"{self.work_dir.resolve()}:{WORKSPACE}:rw")
            options["working_dir"] = WORKSPACE
        options |= self.docker_kwargs
        options["environment"] = home | dict(self.environment)
        options["labels"] = _labels(self.docker_kwargs.get("labels", {})) | dict(self.labels)
        reached = self._by_socket(handover) if handover is not None else self._by_port()
        return options | reached | {"environment": reached.get("environment", {}) | options["environment"]}

    def _sources(self) -> list[str]:
        """What of this machine the container sees."""
        sources = [bind.partition(":")[0] for bind in _binds(self.volumes)]
        mounts = [mount for mount in self.docker_kwargs.get("mounts") or () if isinstance(mount, Mapping)]
        sources += [str(mount.get("Source")) for mount in mounts if mount.get("Type") == "bind"]
        return sources if self.work_dir is None else [*sources, str(self.work_dir.absolute())]

    def _by_port(self) -> dict[str, Any]:
        """The options by which the server is reached at a port, which is published unless it is this machine's already."""
        options: dict[str, Any] = {"network": self.network} if isinstance(self.network, str) else {}
        if self.on_hosts_network:
            return options | {"environment": {"CELLBLOCK_ADDRESS": _LOOPBACK}}
        ports = {PORT: None} | dict(self.docker_kwargs.get("ports") or {})
        return options | {"ports": {port: _for_this_machine(binding) for port, binding in ports.items()}}

    def _by_socket(self, handover: ListenerHandover) -> dict[str, Any]:
        """The options by which the server is reached by the socket that is handed to it."""
        options = {
            "mounts": [handover.mount, *self.docker_kwargs.get("mounts", ())],
            "environment": handover.environment,
        }
        if self.on_hosts_network:
            return options | {"network_mode": "host"}
        # Without it pip tries for a quarter of a minute before it says that there is no network.
        return options | {"network_mode": "none", "environment": {"PIP_RETRIES": "1"} | handover.environment}

    def _user(self, image: Any, *, bundled: bool) -> tuple[str | None, bool]:
        """As whom it runs, if not as the image says, and whether the image has no home for that user."""
        of_image = _user_of(image)
        if self.user is not None:
            return self.user, False
        if self.work_dir is not None and sys.platform != "win32" and os.getuid() != 0:
            user = f"{os.getuid()}:{os.getgid()}"  # so that the files of both have one owner
        elif of_image in ("root", "0"):
            user = f"{_UID}:{_UID}"
        else:
            return None, False
        return user, not bundled and user.partition(":")[0] != of_image


def _check_kwargs(docker_kwargs: Mapping[str, Any]) -> None:
    for name, instead in _INSTEAD.items():
        if name in docker_kwargs:
            advice = f"Use {instead}= instead." if instead else "Leave it out: the server depends on it."
            raise ConfigError(f"{name} cannot be passed on to Docker. {advice}")


def _check_work_dir(path: Path) -> None:
    if not path.is_dir():
        raise ConfigError(f"work_dir must be an existing directory, and {path} is none. Create it first.")
    if path.resolve() in (Path("/"), Path.home().resolve()):
        raise ConfigError(
            f"work_dir cannot be {path.resolve()}: the code may change all that is in it. Give a directory of its own."
        )


def _gpu_options(gpus: int | str | Sequence[str] | None) -> dict[str, Any]:
    """The option that ``docker run --gpus`` is."""
    if gpus is None:
        return {}
    from docker.types import DeviceRequest

    gpu = [["gpu"]]
    if isinstance(gpus, int):
        return {"device_requests": [DeviceRequest(count=gpus, capabilities=gpu)]}
    if gpus == "all":
        return {"device_requests": [DeviceRequest(count=-1, capabilities=gpu)]}
    return {"device_requests": [DeviceRequest(device_ids=list(gpus), capabilities=gpu)]}


def _user_of(image: Any) -> str:
    """The user's name or number in an image's configuration, without the group."""
    return str(image.attrs["Config"].get("User") or "root").partition(":")[0]


def _hand_over(work_dir: Path, user: str) -> None:
    """Lets the container's user write where root, who starts it, would have to give the permission."""
    uid = user.partition(":")[0]
    if sys.platform != "win32" and os.getuid() == 0 and work_dir.stat().st_uid == 0 and uid.isdecimal():
        os.chown(work_dir, int(uid), -1)


def _binds(volumes: Volumes) -> list[str]:
    if isinstance(volumes, str):
        raise ConfigError(f"volumes must be a list, as in [{volumes!r}].")
    if not isinstance(volumes, Mapping):
        return list(volumes)
    for source, to in volumes.items():
        if not isinstance(to, Mapping) or "bind" not in to:
            wanted = {source: {"bind": "/data", "mode": "ro"}}
            raise ConfigError(f"volumes must say where each is seen, as in {wanted!r}; it was {to!r}.")
    return [f"{source}:{to['bind']}:{to.get('mode', 'rw')}" for source, to in volumes.items()]


def _for_this_machine(binding: Any) -> Any:
    """How a port is published, as Docker's SDK takes it: for this machine only, unless it names an address."""
    if isinstance(binding, list):
        return [_for_this_machine(one) for one in binding]
    return binding if isinstance(binding, tuple | dict) else (_LOOPBACK, binding)


def _labels(labels: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    return dict(labels) if isinstance(labels, Mapping) else dict.fromkeys(labels, "")
