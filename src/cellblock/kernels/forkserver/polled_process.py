"""A forked kernel's process for those who ask whether it has ended, instead of being told."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from cellblock.kernels.process import let_go_in_children
from cellblock.kernels.readable import is_readable

if TYPE_CHECKING:
    from cellblock.kernels.forkserver.fork import Fork

__all__ = ["PolledProcess"]

_BURIAL = 1.0  # seconds between a kernel's end and the giving back of its process id
_UNKNOWN = 1  # the return code of a kernel whose fork server was gone when it ended


class PolledProcess:
    """What ``subprocess.Popen`` is to a started process. Belongs to no event loop.

    Args:
        fork: The process.
        pid: Its id.
        lifeline: The owner's end of its lifeline, if somebody else does not hold it.
    """

    stdin = stdout = stderr = None

    def __init__(self, fork: Fork, pid: int, lifeline: int | None) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._fork = fork
        self._held = contextlib.ExitStack()
        self._pidfd = os.pidfd_open(pid)
        self._held.callback(os.close, self._pidfd)
        if lifeline is not None:
            self._held.callback(os.close, lifeline)
        self._held.callback(fork.close)
        let_go_in_children(self)

    def poll(self) -> int | None:
        """The return code, once it has ended."""
        if self.returncode is None:
            hung_up = self._fork.follow() or (self._fork.over and self._fork.wait(_BURIAL))
            if self._fork.over:
                self.returncode = self._fork.returncode
            elif hung_up and is_readable(self._pidfd):
                self.returncode = _UNKNOWN
            if self.returncode is not None:
                self._held.close()
        return self.returncode

    def wait(self) -> int:
        """Blocks until it has ended, and gives the return code."""
        while (returncode := self.poll()) is None:
            is_readable(self._pidfd, None)
        return returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal to the process alone.

        Args:
            number: Of the signal.
        """
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def let_go(self) -> None:
        """In a forked child: leaves the kernel to its owner."""
        self._held.close()
