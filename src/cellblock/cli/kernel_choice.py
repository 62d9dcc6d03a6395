"""The kernel that a command's options ask for: of this process, confined, or on a Jupyter server."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cellblock.cli.server_url import connection_of
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellblock._core.connection_info import JupyterConnectionInfo
    from cellblock.kernels import Kernel

__all__ = ["KernelChoice", "KernelPlace"]


@dataclass(frozen=True, slots=True)
class KernelChoice:
    """Where a command's code runs.

    Attributes:
        server: A Jupyter server: its URL, "local" for one that is started for this run, "docker" or "docker:IMAGE" for
            one in a container; None for a kernel of this process.
        sandbox: Confine the kernel of this process.
    """

    server: str | None = None
    sandbox: bool = False

    @property
    def confines(self) -> bool:
        """Whether the code is kept from this machine because nobody vouches for it."""
        return self.sandbox or (self.server or "").partition(":")[0] == "docker"

    @contextlib.contextmanager
    def kernel(self, name: str, directory: Path) -> Iterator[Kernel]:
        """A kernel, with whatever has to be started for it.

        Args:
            name: The kernelspec's name.
            directory: Its working directory where it can have one; a sandboxed kernel can read it.

        Raises:
            ConfigError: The options cannot be used together, or the server is no URL.
            StartError: The server did not start.
            SandboxUnavailable: There can be no sandbox here.
        """
        with self.place(directory) as place:
            yield place.kernel(name)

    @contextlib.contextmanager
    def place(self, directory: Path) -> Iterator[KernelPlace]:
        """Where kernels run, for who has a question before there is one. Nothing is started before it is needed.

        Args:
            directory: As for ``kernel``.

        Raises:
            ConfigError: The options cannot be used together.
        """
        if self.server is not None and self.sandbox:
            raise ConfigError(
                "--sandbox confines kernels of this machine, not those of a server. Leave one of the two out."
            )
        with contextlib.ExitStack() as started:
            yield KernelPlace(self, directory, started)


class KernelPlace:
    """Where the kernels of a command run. See ``KernelChoice.place``.

    Args:
        choice: What the command line asks for.
        directory: The kernels' working directory where they can have one.
        started: Ends what is started.
    """

    def __init__(self, choice: KernelChoice, directory: Path, started: contextlib.ExitStack) -> None:
        self._choice = choice
        self._directory = directory
        self._started = started

    def language(self, name: str) -> str:
        """The language of a kernelspec's kernels, as in "python": a name says nothing of it.

        Args:
            name: The kernelspec's.

        Raises:
            KernelSpecNotFound: There is none of that name.
            CellblockError: The server cannot be started or asked.
        """
        if self._choice.server is None:
            from cellblock.kernels.kernelspec import find_kernelspec

            return find_kernelspec(name).language
        if name == "python3":  # as Jupyter calls it everywhere
            return "python"
        from cellblock._core.server_api import kernel_spec_of
        from cellblock.transports.rest import JupyterClient

        spec = kernel_spec_of(JupyterClient(self._server).list_kernel_specs(), name, self._server.url)
        return str(spec.get("language", "")).lower()

    def kernel(self, name: str) -> Kernel:
        """A kernel, not started yet.

        Args:
            name: The kernelspec's name.
        """
        if self._choice.server is not None:
            from cellblock.kernels.remote import RemoteKernel

            return RemoteKernel(self._server, name)
        from cellblock.kernels.local import LocalKernel

        directory = self._directory.absolute()  # not before it is needed: the current directory may be gone
        if not self._choice.sandbox:
            return LocalKernel(name, cwd=directory)
        from cellblock.kernels.sandbox.options import Sandbox

        return LocalKernel(name, sandbox=Sandbox(read_only=[directory]))

    @cached_property
    def _server(self) -> JupyterConnectionInfo:
        """Where the server is, which is started if it is one of ours."""
        named = self._choice.server or ""
        kind, _, image = named.partition(":")
        if kind == "local":
            from cellblock.servers.local import LocalJupyterServer

            return self._started.enter_context(LocalJupyterServer(root_dir=self._directory.absolute())).connection_info
        if kind == "docker":
            from cellblock.cli.build_progress import show_build
            from cellblock.servers.docker import DockerJupyterServer

            container = DockerJupyterServer(custom_image_name=image or None, on_build=show_build)
            return self._started.enter_context(container).connection_info
        return connection_of(named)
