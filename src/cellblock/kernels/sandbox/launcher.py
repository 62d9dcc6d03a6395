"""Starting kernels in sandboxes."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.background import in_thread
from cellblock.errors import ConfigError, KernelStartError
from cellblock.kernels.forkserver.fork import ForkServerFailed
from cellblock.kernels.forkserver.rules import why_no_spare, why_not_forked, why_not_set_later
from cellblock.kernels.handover import handover
from cellblock.kernels.sandbox import layout, protected
from cellblock.kernels.sandbox.allowed_hosts import AllowedHosts
from cellblock.kernels.sandbox.bubblewrap import Plan
from cellblock.kernels.sandbox.egress import EgressProxy
from cellblock.kernels.sandbox.guard import disk_use
from cellblock.kernels.sandbox.interpreter import examine
from cellblock.kernels.sandbox.join import join, sandbox_fork_server, why_not_joined
from cellblock.kernels.sandbox.kinds import checked_sandbox
from cellblock.kernels.sandbox.limiter import Limiter
from cellblock.kernels.sandbox.own_workspace import OwnWorkspace
from cellblock.kernels.sandbox.preflight import check_once
from cellblock.kernels.sandbox.request import Request
from cellblock.kernels.sandbox.rlimits import OPEN_FILES, threads
from cellblock.kernels.sandbox.sizes import in_words
from cellblock.kernels.sandbox.sockets import listened_on, sockets_in, still_doors
from cellblock.kernels.sandbox.spawn import spawn
from cellblock.kernels.sandbox.tree import DEEPEST, TooDeep, let_owner_in, prune
from cellblock.kernels.sandbox.users import give_to, sandbox_user
from cellblock.kernels.sandbox.workspace import Workspace

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from cellblock.kernels.forkserver.client import ForkServer
    from cellblock.kernels.forkserver.spares import Spares
    from cellblock.kernels.handover import Handover
    from cellblock.kernels.kernelspec import KernelSpec
    from cellblock.kernels.sandbox.interpreter import Interpreter
    from cellblock.kernels.sandbox.joined_process import JoinedProcess
    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.kernels.sandbox.sandboxed_process import SandboxedProcess
    from cellblock.kernels.sandbox.sockets import Identity
    from cellblock.kernels.sandbox.spare import SandboxedSpare
    from cellblock.transports.zmq import ZmqTransport

__all__ = ["SandboxLauncher"]

_ATTEMPTS = 2  # a fork server may be gone, or stale; the next is not


class SandboxLauncher:
    """Starts each kernel in a sandbox of its own (Linux).

    Kernels of this process's interpreter are forked where that makes no difference, and started anew otherwise.

    Args:
        sandbox: What the code may do.
        preload: Packages that are imported already in those that are forked.
        spares: Kernels that wait, of launchers like this one, to be given out where they suit.

    Raises:
        ConfigError: The sandbox is none.
    """

    greets = True

    def __init__(
        self, sandbox: Sandbox, preload: Sequence[str] = (), spares: Spares[SandboxedSpare] | None = None
    ) -> None:
        self._sandbox = checked_sandbox(sandbox)
        self._preload = tuple(preload)
        self._spares = spares
        self._allowed = AllowedHosts(sandbox.allow_hosts)
        self._own_workspace: OwnWorkspace | None = None
        self._used_at_first: int | None = None
        self._sockets_at_first: frozenset[Identity] | None = None

    @property
    def workspace(self) -> Path:
        """The host's directory that is ``/workspace`` inside."""
        if self._sandbox.workspace is not None:
            return Path(self._sandbox.workspace).resolve()
        if self._own_workspace is None:
            self._own_workspace = OwnWorkspace()
        return self._own_workspace.folder

    @property
    def files(self) -> Workspace:
        """The workspace's files, to be put there and taken from there."""
        return Workspace(self.workspace)

    def close(self) -> None:
        """Removes the workspace if it was made here."""
        workspace, self._own_workspace = self._own_workspace, None
        if workspace is not None:
            workspace.remove()

    @contextlib.asynccontextmanager
    async def launch(
        self, spec: KernelSpec, cwd: str | None, env: Mapping[str, str]
    ) -> AsyncIterator[tuple[SandboxedProcess, ZmqTransport]]:
        """Starts the kernel, or gives one that waited. See ``Launcher`` and ``start``."""
        while (spare := self._spare(cwd, env)) is not None:
            with contextlib.closing(spare):
                try:
                    taken = await self._take(spare, env)
                except ForkServerFailed:
                    continue
                yield taken
                return
        with handover() as given:
            transport = given.transport()  # first: a process of a fork server takes the memory along
            try:
                process = await self.start(spec, cwd, env, given)
            except BaseException:
                await transport.close()
                raise
            yield process, transport

    async def start(
        self, spec: KernelSpec, cwd: str | None, env: Mapping[str, str], given: Handover
    ) -> SandboxedProcess:
        """A kernel's process, confined.

        Args:
            spec: What to start.
            cwd: The host's directory, in the workspace, that it begins in; None for the workspace.
            env: Environment variables to set beside those that sandboxed kernels have anyway.
            given: Its sockets, key, log and memory; the last two are the process's from now on.

        Raises:
            SandboxUnavailable: The confinement cannot be had here.
            ConfigError: The kernel is none of Python's, or its working directory is outside of the workspace.
        """
        try:
            request = await self._ready(spec, cwd, env)
            if self._why_not_joined(request) is None:
                for _ in range(_ATTEMPTS):
                    with contextlib.suppress(ForkServerFailed):
                        return await self._join(request, given)
                    request = await self._ready(spec, cwd, env)
            return await spawn(request, given, self._open_way_out)
        except BaseException:
            given.log.close()
            given.memory.close()
            raise

    async def start_spare(self, spec: KernelSpec, given: Handover) -> tuple[JoinedProcess, dict[str, str]]:
        """A kernel's process, confined, that makes itself ready and waits, and the environment it has.

        Args:
            spec: What to start.
            given: As for ``start``.

        Raises:
            ForkServerFailed: It cannot be forked.
            SandboxUnavailable: The confinement cannot be had here.
        """
        try:
            request = await self._ready(spec, None, spec.env)
            why_not = self._why_not_joined(request)
            if why_not is not None:
                request.limiter.close()
                raise ForkServerFailed(why_not)
            return await join(request, given, self._open_way_out, self._preload, spare=True), request.environment
        finally:
            given.log.close()  # the process has copies
            given.memory.close()

    def why_not_forked(self, spec: KernelSpec) -> str | None:
        """Why kernels have to be started instead of forked, in a sentence; None if they can be forked.

        Args:
            spec: What is to run.
        """
        asked_env = {**spec.env, **self._sandbox.env}
        return why_not_forked(spec) or why_not_joined(spec.interpreter, asked_env, self._preload)

    def fork_server(self) -> ForkServer:
        """The process that kernels of this process's interpreter are forked from."""
        interpreter = examine(sys.executable)
        environment = layout.environment(interpreter, threads(self._sandbox.limits), self._allowed)
        return sandbox_fork_server(interpreter, self._preload, environment)

    def _spare(self, cwd: str | None, env: Mapping[str, str]) -> SandboxedSpare | None:
        """A kernel that waited and is what is wanted."""
        suits = cwd is None and self._own_workspace is None and why_no_spare(env, {}) is None
        if self._spares is None or not suits or why_not_set_later(env, self._preload) is not None:
            return None
        return self._spares.take()

    async def _take(self, spare: SandboxedSpare, env: Mapping[str, str]) -> tuple[JoinedProcess, ZmqTransport]:
        if self._sandbox.workspace is not None:  # there may be files that came after the spare
            await in_thread(lambda: _give(self.workspace), lambda _: None)
        taken = await spare.take({**env, **self._sandbox.env})
        self._own_workspace, spare.launcher._own_workspace = spare.launcher._own_workspace, None
        self._used_at_first = spare.launcher._used_at_first
        self._sockets_at_first = spare.launcher._sockets_at_first
        return taken

    def _why_not_joined(self, request: Request) -> str | None:
        return why_not_joined(request.plan.interpreter.executable, request.asked_env, self._preload)

    async def _join(self, request: Request, given: Handover) -> JoinedProcess:
        process = await join(request, given, self._open_way_out, self._preload)
        given.log.close()  # the process has copies
        given.memory.close()
        return process

    async def _ready(self, spec: KernelSpec, cwd: str | None, env: Mapping[str, str]) -> Request:
        """What is to be started."""
        if not spec.runs_ipykernel:
            raise ConfigError(f"A sandbox runs Python kernels (ipykernel) only, and {spec.name} is none.")
        folder = self._inside(cwd)
        try:
            plan, limiter = await in_thread(lambda: self._prepare(spec.interpreter), lambda ready: ready[1].close())
        except TooDeep:
            raise KernelStartError(
                f"A sandbox was wanted, but the directories in its workspace, {self.workspace}, are nested more than "
                f"{DEEPEST} deep. Give another workspace."
            ) from None
        asked_env = {**env, **self._sandbox.env}
        return Request(plan, limiter, folder, given_env=self._environment(plan), asked_env=asked_env)

    def _inside(self, cwd: str | None) -> str:
        """The kernel's working directory as it is called inside."""
        if cwd is None:
            return layout.WORKSPACE
        folder = Path(cwd).resolve()
        if folder != self.workspace and self.workspace not in folder.parents:
            raise ConfigError(
                f"A sandboxed kernel's working directory must be in its workspace, {self.workspace}, and {cwd} is not."
            )
        return str(Path(layout.WORKSPACE, folder.relative_to(self.workspace)))

    def _prepare(self, executable: str) -> tuple[Plan, Limiter]:
        """Looks what there is, and makes it ready; blocks."""
        if self._used_at_first is not None:  # after another kernel: a workspace that nobody can use any more is mended
            prune(self.workspace)
        with contextlib.suppress(PermissionError):  # somebody else's, who knows who may use it
            let_owner_in(self.workspace)
        interpreter = examine(executable)
        if self._sandbox.workspace is not None:  # in one that is made here there is nothing yet
            protected.check(interpreter, self.workspace)
        for shown in self._sandbox.shown:
            shown.check(self.workspace)
        plan = Plan(
            interpreter=interpreter,
            workspace=self.workspace,
            read_only=self._sandbox.shown,
            hidden=self._hidden(interpreter),
            uid=_give(self.workspace),
        )
        check_once(plan.interpreter, as_root=plan.uid is not None)
        return plan, self._limiter()

    def _hidden(self, interpreter: Interpreter) -> tuple[Path, ...]:
        """What of the host's sockets and pipes the kernel would reach by its files. Blocks."""
        known, inside = self._sockets_at_first, sandbox_user(self.workspace)
        found = {}
        if known is None:  # no code has run: whatever is there is somebody else's
            found = dict(sockets_in(self.workspace, frozenset(), None))
            self._sockets_at_first = frozenset(found.values())
        elif known or inside is not None:
            found = dict(sockets_in(self.workspace, known, os.getuid() if inside is None else inside))
        shown = self._sandbox.shown
        roots = [self.workspace, *map(Path.resolve, interpreter.folders), *(one.real for one in shown)]
        doors = still_doors(door for one in shown for door in one.doors)
        return tuple(sorted({*found, *doors, *listened_on(roots)}))

    def _open_way_out(self, listener: socket.socket) -> Callable[[], None]:
        return EgressProxy(listener, self._allowed, self._sandbox.on_request).close

    def _limiter(self) -> Limiter:
        """Keeps the limits of one kernel; what those before it have written counts. Blocks."""
        limits = self._sandbox.limits
        there = disk_use(self.workspace)
        if self._used_at_first is None:
            self._used_at_first = there.used
        allowance = self._used_at_first + limits.disk - there.used
        return Limiter(limits, self.workspace, before=there, allowance=allowance)

    def _environment(self, plan: Plan) -> dict[str, str]:
        """The environment variables that nobody asked for."""
        limits = self._sandbox.limits
        allowed = {
            "memory": in_words(limits.memory),
            "disk": in_words(limits.disk),
            "pids": limits.pids,
            "files": OPEN_FILES,
            "folders": ", ".join(f"{folder} ({size} MiB)" for folder, size in layout.MEMORY_FOLDERS.items()),
            "hosts": list(self._sandbox.allow_hosts),
            "packages": layout.PACKAGES,
        }
        common = layout.environment(plan.interpreter, threads(limits), self._allowed)
        return {**common, "CELLBLOCK_SANDBOX": json.dumps(allowed)}  # for the kernel to tell which limit an error is


def _give(workspace: Path) -> int | None:
    """Gives a workspace to the user its sandboxes run as, if that is not the caller, and tells who that is."""
    uid = sandbox_user(workspace)
    if uid is not None:
        give_to(uid, workspace)
    return uid
