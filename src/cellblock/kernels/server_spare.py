"""What a Jupyter server of ours gives its kernels, and kernels that wait for its clients."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cellblock._core import last_words
from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.forkserver.fork import ForkServerFailed
from cellblock.kernels.forkserver.polled_process import PolledProcess
from cellblock.kernels.forkserver.spare_process import SpareProcess
from cellblock.kernels.handover import CHANNELS, Handover
from cellblock.kernels.process import open_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellblock._core.messages import Channel

__all__ = ["ServerSpare", "server_handover"]


class ServerSpare:
    """A kernel that has made itself ready, its sockets in the server's folder under names that no client is told.

    Args:
        preload: Packages that it has imported already.
        folder: Where its sockets are; its path must be short.

    Raises:
        ForkServerBusy: The fork server has too many requests.
        ForkServerFailed: It is gone.
    """

    def __init__(self, preload: Sequence[str], folder: Path) -> None:
        prefix = folder / secrets.token_hex(4)
        self._paths: dict[Channel, str] = {channel: f"{prefix}-{n}" for n, channel in enumerate(CHANNELS)}
        with contextlib.ExitStack() as opened:
            given = server_handover(self._paths, secrets.token_hex(32), opened)
            self._memory = given.memory
            try:
                self._process = SpareProcess(fork_server(preload), given)
            except ForkServerFailed:
                self._remove()
                raise

    async def take(
        self, where: Mapping[str, Any], paths: Mapping[Channel, str], key: str
    ) -> tuple[PolledProcess, int, IO[bytes]]:
        """The process, told where it is to run; the owner's end of its lifeline; the memory for its last words.

        Args:
            where: See ``surroundings``.
            paths: Where its sockets are to be.
            key: The secret of its messages from now on.

        Raises:
            ForkServerFailed: It is dead, or what it has imported has changed.
        """
        fork, pid, lifeline = await self._process.take({**where, "key": key})
        for channel, path in self._paths.items():
            os.replace(path, paths[channel])  # noqa: PTH105 - a rename in one folder, which waits for nothing
        return PolledProcess(fork, pid, None), lifeline, self._memory

    def kill(self) -> None:
        """Ends the process, unless it was taken."""
        self._process.kill()

    def close(self, *, wait: float = 0.0) -> None:
        """Ends the process, unless it was taken. May be called more than once.

        Args:
            wait: Seconds the process may take to be gone.
        """
        if self._process.close(wait=wait):
            self._remove()

    def _remove(self) -> None:
        self._memory.close()
        for path in self._paths.values():
            Path(path).unlink(missing_ok=True)


def server_handover(paths: Mapping[Channel, str], key: str, opened: contextlib.ExitStack) -> Handover:
    """What a kernel of a server gets: its log is the server's.

    Args:
        paths: Where its sockets are to be; what is there is replaced.
        key: The messages' secret.
        opened: Closes the server's copies, but for the memory.
    """
    log = opened.enter_context(os.fdopen(os.dup(2), "wb"))
    sockets = {channel: opened.enter_context(_listener(path)).fileno() for channel, path in paths.items()}
    return Handover(Path(paths["shell"]).parent, key, sockets, log, open_memory(last_words.SIZE))


def _listener(path: str) -> socket.socket:
    Path(path).unlink(missing_ok=True)  # of the kernel before a restart
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    return listener
