"""What an ipykernel of ours gets from its owner as open descriptors (POSIX): see ``kernel_program``.

The sockets listen already when the kernel's process begins: no port that somebody else may take, no connection file,
nothing to poll for; our connections wait in the backlog until the kernel reads.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cellblock._core import last_words
from cellblock.kernels.process import open_log, open_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellblock._core.messages import Channel
    from cellblock.transports.zmq import ZmqTransport

__all__ = ["CHANNELS", "Handover", "TakenCount", "handover", "runtime_folder"]

CHANNELS: tuple[Channel, ...] = ("shell", "control", "stdin", "iopub")

_LONGEST_PARENT = 75  # bytes; with what comes below it, the path of a unix socket may have 103 on all systems
_SHORT_PARENT = "/tmp"  # noqa: S108 - a folder of ours is made in it


@dataclass(frozen=True, slots=True)
class Handover:
    """What one kernel gets.

    Attributes:
        folder: Where the sockets are until the kernel's process has them.
        key: The messages' secret.
        sockets: For each channel the descriptor of its listening socket.
        log: For complaints before the kernel can speak for itself.
        memory: For its last words, and for how much of what it published was taken.
    """

    folder: Path
    key: str
    sockets: dict[Channel, int]
    log: IO[bytes]
    memory: IO[bytes]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that must be inherited."""
        return (*self.sockets.values(), self.log.fileno(), self.memory.fileno())

    @property
    def config(self) -> dict[str, Any]:
        """What the kernel program reads of it."""
        return {
            "key": self.key,
            "sockets": self.sockets,
            "log": self.log.fileno(),
            "last_words": self.memory.fileno(),
        }

    def transport(self) -> ZmqTransport:
        """The owner's connection to the kernel, to be made while ``handover`` lasts."""
        from cellblock.transports.zmq import ZmqTransport  # while the kernel starts, not before

        return ZmqTransport(
            {channel: f"ipc://{self.folder / channel}" for channel in CHANNELS},
            self.key.encode(),
            taken=TakenCount(self.memory.fileno()),
        )


@contextlib.contextmanager
def handover() -> Iterator[Handover]:
    """Sockets, key, log and memory for one kernel.

    On leaving, the sockets are closed here and their folder is removed; log and memory belong to the kernel's
    ``KernelProcess``.
    """
    # The folder is private: whoever can connect to iopub reads everything.
    with runtime_folder() as folder, contextlib.ExitStack() as listening:
        sockets = {channel: listening.enter_context(_listener(folder / channel)).fileno() for channel in CHANNELS}
        with contextlib.ExitStack() as opened:
            log = opened.enter_context(open_log())
            memory = opened.enter_context(open_memory(last_words.SIZE))
            opened.pop_all()
        yield Handover(folder, secrets.token_hex(32), sockets, log, memory)


@contextlib.contextmanager
def runtime_folder() -> Iterator[Path]:
    """A private folder that lasts until the kernel has read what is in it."""
    too_long = len(os.fsencode(tempfile.gettempdir())) > _LONGEST_PARENT
    folder = Path(tempfile.mkdtemp(prefix="cellblock-", dir=_SHORT_PARENT if too_long else None))  # for its owner only
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _listener(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        yield listener


class TakenCount:
    """Tells a kernel how much of what it published was taken, so that it does not run away from its reader.

    Args:
        descriptor: Of the memory shared with the kernel.
    """

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, last_words.SIZE)
        self._count = memoryview(self._memory)[last_words.TAKEN_AT :].cast("Q")
        self._count[0] = 1

    def add(self, size: int) -> None:
        """Says that so many bytes more were taken."""
        self._count[0] += size

    def close(self) -> None:
        """Says no more, so that the kernel waits for nobody; may be called more than once."""
        if not self._memory.closed:
            self._count[0] = 0
            self._count.release()
            self._memory.close()
