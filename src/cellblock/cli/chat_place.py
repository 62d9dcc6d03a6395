"""Where the code of a chat runs: in a sandbox, unless the person who began the chat says otherwise."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellblock.cli.block_files import make_directory
from cellblock.cli.server_url import connection_of
from cellblock.coding.jupyter import JupyterCodeExecutor
from cellblock.errors import ConfigError, SandboxUnavailable
from cellblock.kernels.kernelspec import find_kernelspec
from cellblock.kernels.sandbox.options import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cellblock._core.outputs import Output

__all__ = ["ChatPlace"]


@dataclass(frozen=True, slots=True)
class ChatPlace:
    """Where the code of a chat runs.

    Attributes:
        backend: "embedded", "local", "docker" or a Jupyter server's URL.
        kernel: The kernelspec's name.
        output_dir: Where what the code shows is saved; confined code works in its folder "files".
        sandbox: Confine the code where it runs on this machine.
        allow_hosts: Hosts that confined code may connect to.

    Raises:
        ConfigError: They do not go together.
    """

    backend: str
    kernel: str
    output_dir: Path
    sandbox: bool
    allow_hosts: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.backend not in ("embedded", "local", "docker") and "://" not in self.backend:
            raise ConfigError(
                f"--backend takes embedded, local, docker or a Jupyter server's URL, not {self.backend!r}."
            )
        if not self._is_here and not self.sandbox:
            raise ConfigError(
                "Leave out --no-sandbox, or --backend: only kernels of this machine, embedded and local, are confined otherwise."
            )
        if self.allow_hosts and not self._confines:
            raise ConfigError("--allow-host opens the sandbox to a host, and there is none here. Leave it out.")

    @property
    def hosts(self) -> tuple[str, ...] | None:
        """The hosts that the code may connect to; None if nothing confines it."""
        return self.allow_hosts if self._confines else None

    @contextlib.contextmanager
    def executor(self, *, timeout: float, on_output: Callable[[Output], None]) -> Iterator[JupyterCodeExecutor]:
        """An executor there, with the server it needs.

        Args:
            timeout: Seconds for the code of one message.
            on_output: Told of each output as it comes.

        Raises:
            ConfigError: A sandbox cannot run that kernel, or may not open to such a host.
            SandboxUnavailable: There can be no sandbox here.
            StartError: The server or the kernel did not start.
        """
        sandbox = self._sandbox() if self._confines else None
        with contextlib.ExitStack() as started:
            try:
                executor = JupyterCodeExecutor(
                    self._server(started, sandbox),
                    kernel_name=self.kernel,
                    timeout=timeout,  # type: ignore[arg-type]  # AutoGen has whole seconds
                    output_dir=self.output_dir,
                    sandbox=sandbox if self.backend == "embedded" else None,
                    on_output=on_output,
                )
            except SandboxUnavailable as error:
                raise SandboxUnavailable(
                    f"{error} A model's code runs confined unless you say --no-sandbox: then it can do whatever you can."
                ) from None
            yield started.enter_context(executor)

    @property
    def _is_here(self) -> bool:
        return self.backend in ("embedded", "local")

    @property
    def _confines(self) -> bool:
        return self._is_here and self.sandbox

    def _sandbox(self) -> Sandbox:
        if not find_kernelspec(self.kernel).runs_ipykernel:
            raise ConfigError(
                f"A sandbox runs Python kernels (ipykernel) only, and {self.kernel} is none. With --no-sandbox the code can do "
                "whatever you can."
            )
        files = self.output_dir / "files"
        make_directory(files)
        return Sandbox(workspace=files, allow_hosts=self.allow_hosts)

    def _server(self, started: contextlib.ExitStack, sandbox: Sandbox | None) -> Any:
        """The server to run on, which ends with what was started; None for none."""
        if self.backend == "embedded":
            return None
        if self.backend == "local":
            from cellblock.coding.jupyter import LocalJupyterServer

            return started.enter_context(LocalJupyterServer(sandbox=sandbox))
        if self.backend == "docker":
            from cellblock.cli.build_progress import show_build
            from cellblock.coding.jupyter import DockerJupyterServer

            return started.enter_context(DockerJupyterServer(on_build=show_build))
        return connection_of(self.backend)
