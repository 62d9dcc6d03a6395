"""Forked kernels for Jupyter servers: a kernel provisioner that any of them can use, unchanged.

A kernelspec asks for it by name, which ``cellblock install-kernel`` writes. Source: jupyter_client, "Customizing the
kernel's runtime environment" (https://jupyter-client.readthedocs.io/en/stable/provisioning.html).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.provisioning import LocalProvisioner
from traitlets import List, Unicode

from cellblock.errors import ConfigError, KernelStartError
from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.forkserver.fork import ForkServerFailed, fork_kernel, surroundings
from cellblock.kernels.forkserver.polled_process import PolledProcess
from cellblock.kernels.forkserver.rules import is_own, why_not_set_later
from cellblock.kernels.launch import lifeline_pipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ForkServerProvisioner"]

_IMPORT_TIMEOUT = 120.0  # seconds for the packages to preload
_KNOWN_OPTIONS = {"env", "cwd", "stdin", "stdout", "stderr", "kernel_id", "extra_arguments"}


class ForkServerProvisioner(LocalProvisioner):  # type: ignore[misc]
    """Forks ipykernel from a process of the server that has imported it already; starts what cannot be forked.

    Kernels are as LocalProvisioner's, but for the time they take to start and that they end when the server is killed.

    Attributes:
        preload: Packages that the process has imported, too. In the kernelspec:
            ``"metadata": {"kernel_provisioner": {"provisioner_name": "cellblock-forkserver", "config": {"preload": [...]}}}``.
    """

    preload = List(Unicode(), help="Packages that kernels have imported already when they start.").tag(config=True)

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Forks or starts the kernel, and gives its connection information.

        Args:
            cmd: The kernelspec's command.
            **options: As for ``subprocess.Popen``.
        """
        reason = _why_not_forked(cmd, options, self.preload)
        if reason is None:
            try:
                return await self._fork(cmd, options)
            except (ConfigError, ForkServerFailed, KernelStartError) as error:
                reason = str(error)
        self.log.warning("The kernel is started and not forked: %s", reason)
        return await super().launch_kernel(cmd, **options)

    async def _fork(self, cmd: list[str], options: Mapping[str, Any]) -> Any:
        env = {**options["env"], "JPY_PARENT_PID": str(os.getpid())}
        where = {**surroundings(options.get("cwd"), {}), "env": env}
        if self.preload:
            await asyncio.to_thread(fork_server(self.preload).wait_until_ready, _IMPORT_TIMEOUT)
        with lifeline_pipe() as (lifeline, kept), _streams(options) as (out, err):
            descriptors = {"lifeline": lifeline, "log": err, "stdout": out, "stderr": err}
            config = {"argv": _ipykernel_arguments(cmd)}
            # Clients that connect before the sockets are open try again only after a tenth of a second.
            fork, pid = await fork_kernel(self.preload, descriptors, config, where, until_ready=True)
            self.process = PolledProcess(fork, pid, kept.pop())
        self.pid = self.pgid = pid
        self.cwd = where["cwd"]
        return self.connection_info


def _why_not_forked(cmd: list[str], options: Mapping[str, Any], preload: Sequence[str]) -> str | None:
    if sys.platform != "linux":
        return f"Kernels are forked on Linux only, and this is {sys.platform}."
    if not is_own(cmd[0]):
        return f"It runs on another interpreter than the server: {cmd[0]}."
    if _ipykernel_arguments(cmd) is None:
        return "Its command does not run ipykernel by itself."
    if options.keys() - _KNOWN_OPTIONS or options.get("stdin") is not None or subprocess.PIPE in options.values():
        return "It was asked for with options that only a start can have."
    env = options["env"]
    changed = [name for name in {*env, *os.environ} if env.get(name) != os.environ.get(name)]
    return why_not_set_later(changed, preload)


def _ipykernel_arguments(cmd: list[str]) -> list[str] | None:
    """``sys.argv`` of ipykernel_launcher for a command that runs it; None for another command."""
    arguments = [argument for argument in cmd[1:] if argument != "-Xfrozen_modules=off"]
    launcher = importlib.util.find_spec("ipykernel_launcher")
    if arguments[:2] != ["-m", "ipykernel_launcher"] or launcher is None or launcher.origin is None:
        return None
    return [launcher.origin, *arguments[2:]]


@contextlib.contextmanager
def _streams(options: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Descriptors for what the kernel's process itself writes: those asked for, or this process's."""
    with contextlib.ExitStack() as opened:
        descriptors = []
        for own, name in ((1, "stdout"), (2, "stderr")):
            wanted = options.get(name)
            if wanted is None:
                descriptors.append(own)
            elif wanted == subprocess.STDOUT:
                descriptors.append(descriptors[0])
            elif wanted == subprocess.DEVNULL:
                descriptors.append(opened.enter_context(Path(os.devnull).open("wb")).fileno())
            else:
                descriptors.append(wanted if isinstance(wanted, int) else wanted.fileno())
        yield descriptors[0], descriptors[1]
