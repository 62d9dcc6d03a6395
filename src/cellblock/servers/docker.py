"""A Jupyter server in a Docker container of its own: the code it runs sees the container, not this machine.

The container ends with this program, also with one that is killed. What it is made of is in ``docker_image``, what it may
do in ``docker_confinement``, and how those of dead programs are found in ``docker_leftovers``.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from cellblock._core.pool_arguments import checked_pool
from cellblock.errors import ConfigError
from cellblock.servers.docker_confinement import Confinement, seccomp_profile
from cellblock.servers.docker_container import ServerContainer
from cellblock.servers.docker_engine import connect_engine, is_podman
from cellblock.servers.docker_handover import handover_for
from cellblock.servers.docker_image import DEFAULT_BASE_IMAGE, DEFAULT_DOCKERFILE, custom_image, provide_image
from cellblock.servers.docker_leftovers import owner_labels, remove_leftovers
from cellblock.servers.docker_options import ContainerPlan

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from cellblock._core.connection_info import JupyterConnectionInfo
    from cellblock.servers.docker_confinement import SeccompProfile
    from cellblock.transports.rest import JupyterClient

__all__ = ["DockerJupyterServer"]


class DockerJupyterServer:
    """A Jupyter Kernel Gateway in a container without a network, reachable from this machine only.

    The constructor returns when the server answers. The container ends with ``stop()``, with a ``with`` block, or with this
    program, also when it is killed.

    Args:
        custom_image_name: An image on the engine to use instead of the bundled one. It must run Jupyter Kernel Gateway on
            port 8888, with the token of the variable TOKEN and with ``list_kernels``.
        container_name: The container's name; a new one if not given.
        auto_remove: Whether the container is deleted when it stops.
        stop_container: Whether it ends with this program; ``stop()`` ends it in any case.
        docker_env: Environment variables of the container, and so of the kernels.
        token: What clients must send; a new one if not given, and none with an empty string.
        pool: How many kernels of the bundled image wait, ready, for those who will ask for one; see ``LocalJupyterServer``.
        preload: Packages of the image that its kernels have imported already, such as "numpy".
        base_image: What the bundled image is built on; see ``DEFAULT_DOCKERFILE`` for what it must have.
        build_network: The network of the build, such as "host"; the engine's default if not given.
        on_build: Told each line of the build's output, which is logged otherwise.
        start_timeout: Seconds the container may take until it answers, the build not included.
        network: Whether the code has a network: True for the engine's default, or a network's name. If not given it has none,
            but where the server inside can only be reached by one; False never gives it one. Needed for ``%pip install``.
        work_dir: A directory that the code reads and writes as /workspace, its working directory.
        volumes: Further files and directories, as Docker's SDK takes them.
        gpus: How many graphics processors the container gets, "all", or a list of their ids.
        user: As whom the container runs, such as "1000:100" or "root". By default the caller where there is a ``work_dir``,
            otherwise the image's user, and user 1000 if that is root.
        mem_limit: Its memory, swap included, such as "2g"; None for all there is.
        cpus: How many processors' worth of time it gets at most; None for all.
        pids_limit: How many processes and threads it may have; None for any number.
        cap_drop: The capabilities taken away.
        no_new_privileges: Whether programs inside can gain no rights that their user does not have.
        seccomp: Which system calls are refused: "cellblock" for our own rules, "engine" for the engine's, "unconfined" for
            none.
        init: Whether an init process reaps what the code leaves behind.
        log_max_size: What the engine keeps of the container's log; None leaves it to the engine.
        allow_docker_socket: Whether what the container sees of this machine may hold an engine's socket.
        **docker_kwargs: Further options for ``containers.run`` of Docker's SDK, such as ``shm_size``, or ``runtime`` for one
            with a kernel of its own; they win over ours.

    Raises:
        ConfigError: An argument cannot be used, or ``network=False`` cannot be had here.
        MissingDependency: Docker's SDK is not installed.
        StartError: No engine answers, or it refuses to start the container.
        ImageError: The image is missing or cannot be built.
        ServerStartError: The container ended, or did not answer in time; the message has the end of its log.
    """

    DEFAULT_DOCKERFILE: ClassVar[str] = DEFAULT_DOCKERFILE

    @dataclass
    class GenerateToken:
        """Asks for a new token."""

    def __init__(
        self,
        *,
        custom_image_name: str | None = None,
        container_name: str | None = None,
        auto_remove: bool = True,
        stop_container: bool = True,
        docker_env: Mapping[str, str] | None = None,
        token: str | GenerateToken | None = GenerateToken(),  # noqa: B008  it has no state
        pool: int = 0,
        preload: Sequence[str] = (),
        base_image: str = DEFAULT_BASE_IMAGE,
        build_network: str | None = None,
        on_build: Callable[[str], None] | None = None,
        start_timeout: float = 60.0,
        network: bool | str | None = None,
        work_dir: str | os.PathLike[str] | None = None,
        volumes: Mapping[str, Mapping[str, str]] | Sequence[str] = (),
        gpus: int | Literal["all"] | Sequence[str] | None = None,
        user: str | None = None,
        mem_limit: int | str | None = "2g",
        cpus: float | None = 2.0,
        pids_limit: int | None = 512,
        cap_drop: Sequence[str] = ("ALL",),
        no_new_privileges: bool = True,
        seccomp: SeccompProfile = "cellblock",
        init: bool = True,
        log_max_size: str | None = "10m",
        allow_docker_socket: bool = False,
        **docker_kwargs: Any,
    ) -> None:
        if not start_timeout > 0:
            raise ConfigError(f"start_timeout must be a positive number of seconds; it was {start_timeout!r}.")
        checked_pool(pool, preload)
        if isinstance(token, self.GenerateToken):
            token = secrets.token_hex(32)
        lifeline = {"CELLBLOCK_LIFELINE": "yes"} if stop_container else {}
        plan = ContainerPlan(
            confinement=Confinement(
                cap_drop=cap_drop,
                cpus=cpus,
                init=init,
                log_max_size=log_max_size,
                mem_limit=mem_limit,
                no_new_privileges=no_new_privileges,
                pids_limit=pids_limit,
                seccomp=seccomp,
            ),
            name=container_name or f"autogen-jupyterkernelgateway-{uuid.uuid4()}",
            environment={"TOKEN": token or ""} | lifeline | _pool_environment(pool, preload) | dict(docker_env or {}),
            labels=owner_labels(keep=not auto_remove) if stop_container else {},
            network=network,
            volumes=volumes,
            work_dir=None if work_dir is None else Path(work_dir),
            user=user,
            gpus=gpus,
            allow_docker_socket=allow_docker_socket,
            docker_kwargs=docker_kwargs,
        )
        self._engine = connect_engine()
        try:
            remove_leftovers(self._engine)
            image = self._image(custom_image_name, base_image, build_network, on_build)
            self._container = self._started(
                plan,
                image,
                bundled=custom_image_name is None,
                remove=auto_remove,
                ends_with_us=stop_container,
                start_timeout=start_timeout,
            )
        except BaseException:
            self._engine.close()
            raise

    @property
    def connection_info(self) -> JupyterConnectionInfo:
        """Where the server is."""
        return self._container.connection_info

    @property
    def container_name(self) -> str:
        """The container's name."""
        return self._container.name

    def get_client(self) -> JupyterClient:
        """A client of the server's API."""
        from cellblock.transports.rest import JupyterClient

        return JupyterClient(self.connection_info)

    def stop(self) -> None:
        """Stops the container and all kernels in it; may be called more than once, and after the container is gone."""
        self._container.stop()
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _started(
        self, plan: ContainerPlan, image: Any, *, bundled: bool, remove: bool, ends_with_us: bool, start_timeout: float
    ) -> ServerContainer:
        """A container that answers."""
        runtime = plan.docker_kwargs.get("runtime")
        with (
            seccomp_profile(as_file=is_podman(self._engine)) as profile,
            handover_for(
                self._engine,
                image,
                runtime,
                needs_network=plan.needs_network,
                on_hosts_network=plan.on_hosts_network,
            ) as handover,
        ):
            options = plan.options(
                image,
                bundled=bundled,
                engine_cpus=int(self._engine.info()["NCPU"]),
                profile=profile,
                handover=handover,
            )
            return ServerContainer(
                self._engine,
                image,
                options,
                handover,
                remove=remove,
                ends_with_us=ends_with_us,
                start_timeout=start_timeout,
            )

    def _image(self, custom: str | None, base: str, network: str | None, on_build: Callable[[str], None] | None) -> Any:
        if custom is not None:
            return custom_image(self._engine, custom)
        return provide_image(self._engine, self.DEFAULT_DOCKERFILE, base, network=network, on_build=on_build)


def _pool_environment(pool: int, preload: Sequence[str]) -> dict[str, str]:
    """What the bundled image reads; see ``docker_context/gateway.py``."""
    wanted = {"CELLBLOCK_POOL": str(pool) if pool else "", "CELLBLOCK_PRELOAD": ",".join(preload)}
    return {name: value for name, value in wanted.items() if value}
