"""Asking a fork server for a kernel's process, and talking with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellblock.errors import KernelStartError, SandboxUnavailable
from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.forkserver.said import LONGEST, understood
from cellblock.kernels.launch import working_directory
from cellblock.kernels.readable import is_readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellblock.kernels.forkserver.client import ForkServer
    from cellblock.kernels.handover import Handover

__all__ = ["Fork", "ForkServerBusy", "ForkServerFailed", "fork_kernel", "named_descriptors", "surroundings"]

_ATTEMPTS = 2  # a server may be gone, or stale; the next is not
_WAIT_FOR_ROOM = 0.01  # seconds between questions to a server with too many of them


class ForkServerFailed(Exception):
    """The fork server is gone, or has imported what is no longer installed: another must be asked."""


class ForkServerBusy(ForkServerFailed):
    """The fork server has too many requests."""


class Fork:
    """What the owner has of a process that it asked a fork server for. Belongs to no event loop.

    Args:
        descriptors: What the process gets, by the names it knows them by.
        config: What it is to become.
        spare: Whether it makes itself ready before it is told where it is to run.

    Attributes:
        over: Whether it has ended, as far as ``follow`` has heard.
        returncode: With what, once it is over.
        confined: Whether it has said so: from then on nobody takes its word for what went wrong before.
    """

    def __init__(self, descriptors: Mapping[str, int], config: Mapping[str, Any], *, spare: bool = False) -> None:
        self._descriptors = dict(descriptors)
        self.channel, self._theirs = socket.socketpair()
        self.channel.setblocking(False)
        self._heard = b""
        self.over = self.confined = False
        self.returncode: int | None = None
        self.channel.send(_line({**config, "descriptors": list(descriptors), "spare": spare}))

    def ask(self, server: ForkServer) -> bool:
        """Asks for the process; tells whether the server had room for the request.

        Args:
            server: Whom to ask.

        Raises:
            ForkServerFailed: It is gone.
        """
        try:
            taken = server.ask((self._theirs.fileno(), *self._descriptors.values()))
        except OSError as error:
            raise ForkServerFailed(str(error)) from error
        if taken:
            self._theirs.close()
        return taken

    async def ask_until_taken(self, server: ForkServer) -> None:
        """Asks for the process, again while the server has no room for the request.

        Args:
            server: Whom to ask.

        Raises:
            ForkServerFailed: It is gone.
        """
        while not self.ask(server):  # noqa: ASYNC110 - nobody tells when there is room
            await asyncio.sleep(_WAIT_FOR_ROOM)

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Says something to the process. If nobody is there, what is heard next tells why.

        Args:
            message: What it expects next.
        """
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self.channel, _line(message))

    async def settle(self, where: Mapping[str, Any]) -> None:
        """Tells the process where it is to run, and waits until it does, or has ended.

        Args:
            where: See ``surroundings``.

        Raises:
            ForkServerFailed: The process is stale or nobody is there.
        """
        await self.tell(where)
        await self.hear("settled")

    async def hear(self, word: str) -> Any:
        """What the process says under a word, once it does; None if it ended instead, which is then still to be heard.

        Args:
            word: Such as "pid".

        Raises:
            ForkServerFailed: It is stale, or nobody is there to say it.
            KernelStartError: It could not be forked.
            SandboxUnavailable: It could not be confined.
        """
        while b"\n" not in self._heard and len(self._heard) <= LONGEST:
            try:
                said = await asyncio.get_running_loop().sock_recv(self.channel, 65536)
            except OSError:
                said = b""
            if not said:
                raise ForkServerFailed("the fork server ended")
            self._heard += said
        line, _, rest = self._heard.partition(b"\n")
        what, value = understood(line) or ("", None)
        if what == "ended":
            return None
        self._heard = rest
        if what == "stale":
            raise ForkServerFailed(f"{value} has changed")
        if what == "refused" and not self.confined:
            raise SandboxUnavailable(f"A sandboxed kernel was wanted. {value}")
        if what == "error" and not self.confined:
            raise KernelStartError(f"The kernel could not be started: {value}.")
        if what != word:
            raise KernelStartError(
                f'The kernel could not be started: its process was to say "{word}" and said what makes no sense. Start another.'
            )
        self.confined |= word == "confined"
        return value

    def follow(self) -> bool:
        """Takes what has been said and not heard; tells whether that was all: the end and its burial, or the server's end."""
        try:
            said = self.channel.recv(65536)
        except BlockingIOError:
            said = None
        except OSError:
            said = b""
        *lines, self._heard = (self._heard + (said or b"")).split(b"\n")
        self._heard = self._heard[-LONGEST:]
        for what, value in filter(None, map(understood, lines)):
            if what == "ended":
                self.over, self.returncode = True, value
                # Nothing is signalled from here on, so the server may give the process id back. Then it hangs up.
                with contextlib.suppress(OSError):
                    self.channel.shutdown(socket.SHUT_WR)
        return said == b""

    def wait(self, timeout: float) -> bool:
        """Blocks until all has been said, and tells whether it has.

        Args:
            timeout: Seconds at most.
        """
        until = time.monotonic() + timeout
        while not self.follow():
            left = until - time.monotonic()
            if left <= 0 or not is_readable(self.channel, left):
                return False
        return True

    def close(self) -> None:
        """Ends the talk."""
        self.channel.close()
        self._theirs.close()


async def fork_kernel(
    preload: Sequence[str],
    descriptors: Mapping[str, int],
    config: Mapping[str, Any],
    where: Mapping[str, Any],
    *,
    until_ready: bool = False,
) -> tuple[Fork, int]:
    """A kernel's process and its id, once it is where it is to run.

    Args:
        preload: Packages that are imported in it already.
        descriptors: What it gets, by the names it knows them by.
        config: What it is to become.
        where: See ``surroundings``.
        until_ready: Whether to wait until it has opened its sockets, too.

    Raises:
        ForkServerFailed: No fork server can be had.
        KernelStartError: It could not be forked.
    """
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(ForkServerFailed):
            return await _fork_once(preload, descriptors, config, where, until_ready=until_ready)
    return await _fork_once(preload, descriptors, config, where, until_ready=until_ready)


async def _fork_once(
    preload: Sequence[str],
    descriptors: Mapping[str, int],
    config: Mapping[str, Any],
    where: Mapping[str, Any],
    *,
    until_ready: bool,
) -> tuple[Fork, int]:
    server = fork_server(preload)
    fork = Fork(descriptors, config)
    try:
        await fork.ask_until_taken(server)
        await fork.tell(where)
        pid = await fork.hear("pid")
        if pid is None:
            raise KernelStartError("The kernel could not be started: its process ended at once.")
        await fork.hear("settled")
        if until_ready:
            await fork.hear("ready")
    except BaseException as error:
        fork.close()
        if isinstance(error, ForkServerFailed):
            server.retire()
        raise
    return fork, pid


def named_descriptors(given: Handover, lifeline: int) -> dict[str, int]:
    """What a kernel gets, by the names it knows them by.

    Args:
        given: What every kernel of ours gets.
        lifeline: The kernel's end of its lifeline.
    """
    sockets = {str(channel): descriptor for channel, descriptor in given.sockets.items()}
    return {**sockets, "lifeline": lifeline, "log": given.log.fileno(), "last_words": given.memory.fileno()}


def surroundings(cwd: str | None, env: Mapping[str, str]) -> dict[str, Any]:
    """What a child of this process, started by this thread, would have from it.

    Args:
        cwd: The working directory; None for the caller's.
        env: Environment variables beside the caller's.

    Raises:
        KernelStartError: The caller's directory is wanted and is gone.
    """
    import resource  # not there on Windows, where this module is imported and not used

    limits = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    fields = {name: value for name, _, value in (line.partition(":") for line in status.splitlines())}
    ignored = int(fields["SigIgn"], 16)
    return {
        "cwd": working_directory(cwd),
        "env": {**os.environ, **env},
        "umask": int(fields["Umask"], 8),
        "limits": [(limit, resource.getrlimit(limit)) for limit in limits],
        "ignored": [number for number in range(1, signal.NSIG) if ignored >> (number - 1) & 1],
        "processors": sorted(os.sched_getaffinity(0)),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "oom_score_adj": Path("/proc/self/oom_score_adj").read_text(encoding="ascii"),
    }


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
