"""The process of a sandboxed kernel: bubblewrap's, whose child is the first process of the sandbox.

Killing that child ends everything inside, and bubblewrap ends when all of it has.
"""

from __future__ import annotations

import abc
import contextlib
import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cellblock.background import in_thread
from cellblock.errors import SandboxUnavailable
from cellblock.kernels.process import KernelProcess, exit_sentence

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from cellblock.kernels.sandbox.descriptors import Descriptors
    from cellblock.kernels.sandbox.limiter import Limiter

__all__ = ["SandboxedProcess"]

_KILL_FIRST = "1000"  # oom_score_adj: what to kill when the host runs out of memory


class SandboxedProcess(KernelProcess, abc.ABC):
    """A sandbox being built, then with a kernel in it. Made inside the event loop that will watch it.

    Args:
        bubblewrap: Its command up to what it is to run.
        first: The command of the first process inside.
        passed: What both inherit.
        stdin: As for ``KernelProcess``.
        log: As for ``KernelProcess``.
        memory: As for ``KernelProcess``.
        lifeline: As for ``KernelProcess``.
        limiter: Keeps its limits; this object closes it.

    Attributes:
        belongings: Closed when the sandbox is gone.

    Raises:
        KernelStartError: The command cannot be run.
    """

    def __init__(
        self,
        bubblewrap: Sequence[str],
        first: Sequence[str],
        passed: Descriptors,
        *,
        stdin: int = subprocess.DEVNULL,
        log: IO[bytes],
        memory: IO[bytes],
        lifeline: int,
        limiter: Limiter,
    ) -> None:
        self.belongings = contextlib.ExitStack()
        self.belongings.callback(limiter.close)
        self._limiter = limiter
        self._lock = threading.Lock()  # a descriptor must not be closed while another thread signals through it
        self._inside: int | None = None
        self._first = 0
        self._reason = ""
        self._announcements, announcing = os.pipe()
        self.belongings.callback(os.close, self._announcements)
        argv = [*bubblewrap, "--json-status-fd", str(passed.own(announcing)), "--", *first]
        super().__init__(
            argv,
            cwd="/",
            env={},  # what bubblewrap's own process has can be read from inside
            pass_fds=passed.all,
            stdin=stdin,
            log=log,
            memory=memory,
            lifeline=lifeline,
        )

    def kill(self) -> None:
        """Kills everything in the sandbox."""
        with self._lock:
            if self._inside is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._inside, signal.SIGKILL)
                return
        super().kill()  # bubblewrap itself: what it may have started ends with the lifeline

    def cause_of_death(self) -> str:
        """Why the kernel ended by itself, in a sentence; only once it has."""
        word, number = self._end_told()
        if word == "exited":
            return exit_sentence(number)
        if not word and self._reason:
            return self._reason
        if number == signal.SIGKILL:
            return (
                self._limiter.verdict
                or f"{exit_sentence(-number)} The sandbox does not know why: no limit was reached."
            )
        if number == signal.SIGSYS:
            return f"{exit_sentence(-number)} It made a system call that its sandbox lets nobody make."
        return exit_sentence(-number, self.complaints())

    def _kill_because(self, reason: str) -> None:
        """Kills everything in the sandbox for having gone too far; in any thread."""
        self._reason = reason
        self.kill()

    def _on_exit(self) -> None:
        """Called when bubblewrap has ended, which it does after the first process unless it was killed itself."""
        if self._inside is None:
            super()._on_exit()
            return
        self._loop.remove_reader(self._pidfd)
        self.kill()
        self._loop.add_reader(self._inside, self._on_first_exit)

    def _on_first_exit(self) -> None:
        assert self._inside is not None
        self._loop.remove_reader(self._inside)
        self._on_empty()

    def _on_empty(self) -> None:
        """Called when nothing is left in the sandbox."""
        super()._on_exit()

    async def _announced(self) -> None:
        """Waits until there is a first process."""
        said = b""
        while b"\n" not in said:
            await self._readable(self._announcements)
            said += (more := os.read(self._announcements, 4096))
            if not more:
                raise self._not_built()
        self._first = json.loads(said.splitlines()[0])["child-pid"]
        try:
            self._inside = os.pidfd_open(self._first)
            _prefer_for_killing(self._first)
        except (ProcessLookupError, FileNotFoundError):
            raise self._not_built() from None

    async def _hold(self, process: int) -> None:
        """Puts the process that all of the user's will descend from under the limits; Linux may take its time for it."""
        # Nothing is to be undone: whoever gives the start up closes the limiter.
        await in_thread(lambda: self._limiter.hold(process), lambda _: None)

    @abc.abstractmethod
    def _end_told(self) -> tuple[str, int]:
        """How the kernel ended: "exited" and a code, "killed" and a signal, or nothing and SIGKILL if it was killed with all."""

    def _release(self) -> None:
        super()._release()
        self.belongings.close()
        with self._lock:
            inside, self._inside = self._inside, None
            if inside is not None:
                os.close(inside)

    async def _readable(self, descriptor: int) -> None:
        readable = self._loop.create_future()
        self._loop.add_reader(descriptor, _resolve, readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(descriptor)

    def _not_built(self) -> SandboxUnavailable:
        said = self.complaints() or "it said nothing"
        return SandboxUnavailable(f"A sandboxed kernel was wanted, but its sandbox could not be built: {said}")


def _prefer_for_killing(pid: int) -> None:
    Path(f"/proc/{pid}/oom_score_adj").write_text(_KILL_FIRST, encoding="ascii")


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
