"""Starting a sandboxed kernel by forking it from a process that has imported ipykernel, outside, and sending it in."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import socket
from typing import IO, TYPE_CHECKING, Any

from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.forkserver.fork import Fork, ForkServerFailed, surroundings
from cellblock.kernels.forkserver.rules import is_own, why_not_set_later
from cellblock.kernels.launch import PROGRAM
from cellblock.kernels.sandbox import layout
from cellblock.kernels.sandbox.bubblewrap import command
from cellblock.kernels.sandbox.descriptors import Descriptors
from cellblock.kernels.sandbox.joined_process import JoinedProcess
from cellblock.kernels.sandbox.seccomp import filter_program
from cellblock.kernels.sandbox.spawn import HINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cellblock.kernels.forkserver.client import ForkServer
    from cellblock.kernels.handover import Handover
    from cellblock.kernels.sandbox.interpreter import Interpreter
    from cellblock.kernels.sandbox.request import Request

__all__ = ["join", "sandbox_fork_server", "where", "why_not_joined"]


def why_not_joined(executable: str, asked_env: Iterable[str], preload: Sequence[str] = ()) -> str | None:
    """Why a kernel has to be started in an interpreter of its own, in a sentence; None if it can be forked.

    Args:
        executable: Its interpreter.
        asked_env: The names of environment variables that somebody asked for.
        preload: The packages that the fork server has imported.
    """
    if not is_own(executable):
        return f"The kernel runs on another interpreter than this process: {executable}."
    if not all(shutil.which(name, path="/usr/bin:/bin") for name in ("sh", "cat")):
        return "The system's folders of programs have no shell, which would be the sandbox's first process."
    return why_not_set_later([name for name in asked_env if name != "PYTHONPATH"], preload)


def sandbox_fork_server(
    interpreter: Interpreter, preload: Sequence[str] = (), given_env: Mapping[str, str] | None = None
) -> ForkServer:
    """The fork server for sandboxes, whose kernels inherit all it has: nothing in it is the caller's.

    Args:
        interpreter: This process's.
        preload: Packages it imports.
        given_env: The environment variables that its kernels have anyway.
    """
    folders = [str(PROGRAM / "sandbox"), *([] if interpreter.user_site is None else [str(interpreter.user_site)])]
    # What packages read when they are imported. In all else kernels with other limits are the same.
    read = [name for name in given_env or {} if preload and name.endswith("_NUM_THREADS")]
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": os.devnull,  # nobody's, until something is preloaded
        "PYTHONPATH": ":".join(folders),
        **{name: (given_env or {})[name] for name in read},
    }
    return fork_server(preload, environment)


async def join(
    request: Request,
    given: Handover,
    on_listener: Callable[[socket.socket], Callable[[], None]],
    preload: Sequence[str] = (),
    *,
    spare: bool = False,
) -> JoinedProcess:
    """A process that is in its sandbox and about to be a kernel.

    Args:
        request: What to start.
        given: Its sockets, key, log and memory; the process has copies of the last two.
        on_listener: See ``SandboxedProcess``.
        preload: Packages that are imported in it already.
        spare: Whether it is to make itself ready and wait; ``settle`` it then.

    Raises:
        ForkServerFailed: The fork server is gone, or has imported what is no longer installed; another may be asked.
        KernelStartError: It could not be forked, or ended.
        SandboxUnavailable: The confinement cannot be had here.
    """
    interpreter = request.plan.interpreter
    server = sandbox_fork_server(interpreter, preload, request.given_env)
    with contextlib.ExitStack() as unused, Descriptors() as passed:
        unused.callback(request.limiter.close)
        door, theirs = socket.socketpair()
        unused.callback(door.close)
        with theirs:
            bubblewrap = command(request.plan, passed, joined=True)
            fork = await _asked(server, given, theirs, spare=spare)
        process = JoinedProcess(
            fork,
            door,
            bubblewrap,
            passed,
            log=_copy(given.log),
            memory=_copy(given.memory),
            limiter=request.limiter,
            on_listener=on_listener,
        )
        unused.pop_all()
    try:
        await process.enter(
            {**request.confinement, "proxy": layout.PROXY_PORT, "filter": filter_program(platform.machine()).hex()},
            None if spare else where(request.cwd, request.environment),
        )
    except BaseException as error:
        if isinstance(error, ForkServerFailed):
            server.retire()
        await process.gone(0)
        raise
    return process


async def _asked(server: ForkServer, given: Handover, door: socket.socket, *, spare: bool) -> Fork:
    """A process that the server was asked for, which it makes while the sandbox is being built."""
    descriptors = {str(channel): descriptor for channel, descriptor in given.sockets.items()}
    descriptors |= {"log": given.log.fileno(), "last_words": given.memory.fileno(), "door": door.fileno()}
    fork = Fork(descriptors, {"key": given.key, "extensions": [HINTS]}, spare=spare)
    try:
        await fork.ask_until_taken(server)
    except BaseException as error:
        if isinstance(error, ForkServerFailed):
            server.retire()
        fork.close()
        raise
    return fork


def where(cwd: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What a process is told about where it is to run.

    Args:
        cwd: The working directory, as it is called inside.
        environment: The whole of it.
    """
    # The limits, the processors and what is killed first are the sandbox's.
    outside = surroundings("/", {})
    kept = {name: outside[name] for name in ("umask", "ignored", "nice")}
    return {**kept, "cwd": cwd, "env": dict(environment), "limits": [], "processors": None, "oom_score_adj": None}


def _copy(file: IO[bytes]) -> IO[bytes]:
    return os.fdopen(os.dup(file.fileno()), "r+b", buffering=0)
