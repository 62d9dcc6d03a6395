"""The kernel that a command's options ask for: of this process, confined, or on a Jupyter server."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellblock.cli.server_url import connection_of
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellblock.kernels import Kernel

__all__ = ["KernelChoice"]


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
        if self.server is None:
            yield self._of_this_process(name, directory)
            return
        if self.sandbox:
            raise ConfigError(
                "--sandbox confines kernels of this machine, not those of a server. Leave one of the two out."
            )
        from cellblock.kernels.remote import RemoteKernel

        kind, _, image = self.server.partition(":")
        if kind == "local":
            from cellblock.servers.local import LocalJupyterServer

            with LocalJupyterServer(root_dir=directory) as local:
                yield RemoteKernel(local.connection_info, name)
        elif kind == "docker":
            from cellblock.cli.build_progress import show_build
            from cellblock.servers.docker import DockerJupyterServer

            with DockerJupyterServer(custom_image_name=image or None, on_build=show_build) as container:
                yield RemoteKernel(container.connection_info, name)
        else:
            yield RemoteKernel(connection_of(self.server), name)

    def _of_this_process(self, name: str, directory: Path) -> Kernel:
        from cellblock.kernels.local import LocalKernel

        if not self.sandbox:
            return LocalKernel(name, cwd=directory)
        from cellblock.kernels.sandbox.options import Sandbox

        return LocalKernel(name, sandbox=Sandbox(read_only=[directory]))
