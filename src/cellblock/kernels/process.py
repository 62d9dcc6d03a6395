"""The process of a local kernel: started in a group of its own, watched, and ended with all it started.

No process outlives its owner: each holds the reading end of a pipe (the lifeline) whose other end only the owner has. On
Linux the kernel kills the whole group when that end closes, however the owner ended (see ``kernel_program``).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from typing import IO, TYPE_CHECKING, Protocol

from cellblock._core import last_words
from cellblock.errors import KernelStartError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["KernelProcess", "LocalProcess", "exit_sentence", "let_go_in_children", "open_log", "open_memory"]

_HELD: weakref.WeakSet[Held] = weakref.WeakSet()
_LOG_TAIL = 4000  # characters of a kernel's own complaints that an error repeats


class Held(Protocol):
    """Something a process owns by open descriptors, of which a forked child must not keep copies.

    A child that did would keep kernels alive when their owner ends.
    """

    def let_go(self) -> None:
        """In a forked child: closes the copies."""


def let_go_in_children(held: Held) -> None:
    """Sees to it that children that this process forks later let something go.

    Args:
        held: Not kept alive by this.
    """
    _HELD.add(held)


class LocalProcess:
    """A running kernel process that belongs to this one, however it came to be. Made inside the event loop that watches it.

    Args:
        log: An open file that it writes its complaints to; this object owns it from now on.
        memory: The open file it shares as memory for its last words, if it does; this object owns it from now on.
        lifeline: The owner's end of the lifeline; None where there is none (Windows).

    Attributes:
        pid: Its process id, which is its process group's too.
        ended: Resolves with the return code once it has ended (negative: the signal that killed it; None: nobody knows).
    """

    pid: int

    def __init__(self, *, log: IO[bytes], memory: IO[bytes] | None, lifeline: int | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._log = log
        self._memory = memory
        self._lifeline = lifeline
        self._owner = os.getpid()
        self.ended: asyncio.Future[int | None] = self._loop.create_future()
        let_go_in_children(self)

    def interrupt(self) -> None:
        """Sends SIGINT to the kernel and to what it started, as Ctrl-C in a terminal would."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Kills the kernel and what it started."""
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    async def gone(self, grace: float) -> None:
        """Waits for the process to end by itself, then kills what is left of it.

        Args:
            grace: Seconds it is given.
        """
        if os.getpid() != self._owner:
            return  # a forked child must leave its parent's kernel alone
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await asyncio.shield(self.ended)
        if not self.ended.done():
            self.kill()
            await self.ended
        self._release()

    def complaints(self) -> str:
        """The end of what the process wrote before the kernel could speak for itself."""
        if self._log.closed:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_TAIL))
        return self._log.read().decode("utf-8", "replace").strip()

    def cause_of_death(self) -> str:
        """Why the process ended by itself, in a sentence; only once it has."""
        return exit_sentence(self.ended.result(), self.complaints())

    def last_words(self) -> bytes:
        """The content of the shared memory; empty if there is none."""
        if self._memory is None or self._memory.closed:
            return b""
        self._memory.seek(0)
        return self._memory.read(last_words.SIZE)

    def let_go(self) -> None:
        """In a forked child: leaves the kernel to the owner."""
        self._close_lifeline()

    def _resolve(self, returncode: int | None) -> None:
        if not self.ended.done():
            self.ended.set_result(returncode)

    def _signal(self, number: int) -> None:
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _release(self) -> None:
        self._log.close()
        if self._memory is not None:
            self._memory.close()
        self._close_lifeline()

    def _close_lifeline(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def __del__(self) -> None:
        # Not a way to stop a kernel: only what keeps one from outliving an owner who forgot it.
        self._close_lifeline()


class KernelProcess(LocalProcess):
    """A kernel process that is a child of this one.

    Args:
        argv: The command.
        cwd: Its working directory; None for the caller's.
        env: Its whole environment.
        pass_fds: Descriptors it inherits (POSIX).
        stdin: A descriptor of its standard input; there is nothing to read if it has none.
        log: As for ``LocalProcess``.
        memory: As for ``LocalProcess``.
        lifeline: As for ``LocalProcess``.

    Raises:
        KernelStartError: The command cannot be run.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None,
        env: Mapping[str, str],
        pass_fds: Sequence[int],
        stdin: int = subprocess.DEVNULL,
        log: IO[bytes],
        memory: IO[bytes] | None = None,
        lifeline: int | None,
    ) -> None:
        super().__init__(log=log, memory=memory, lifeline=lifeline)
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=dict(env),
                stdin=stdin,
                stdout=log,
                stderr=log,
                pass_fds=tuple(pass_fds),
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except (OSError, ValueError) as error:
            self._release()
            raise KernelStartError(
                f"The kernel could not be started: {error}. The command was: {' '.join(argv)}"
            ) from None
        self.pid = self._process.pid
        self._watch()

    def _watch(self) -> None:
        if sys.platform == "linux":
            self._pidfd = os.pidfd_open(self.pid)
            self._loop.add_reader(self._pidfd, self._on_exit)
            return

        def wait() -> None:
            returncode = self._process.wait()
            with contextlib.suppress(RuntimeError):  # the loop was closed first
                self._loop.call_soon_threadsafe(self._resolve, returncode)

        threading.Thread(target=wait, name="cellblock-kernel-exit", daemon=True).start()

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # The zombie still holds its process group's number, so this cannot hit a stranger.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._resolve(self._process.wait())

    def _signal(self, number: int) -> None:
        if sys.platform != "win32":
            super()._signal(number)
        elif not self.ended.done():
            with contextlib.suppress(PermissionError):
                self._process.send_signal(signal.CTRL_BREAK_EVENT if number == signal.SIGINT else number)


def _let_go() -> None:
    for held in _HELD:
        held.let_go()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)


def open_memory(size: int) -> IO[bytes]:
    """A file without a name to be mapped by two processes. On Linux neither can make it longer or shorter.

    Args:
        size: Its size in bytes.
    """
    if sys.platform == "linux":
        import fcntl

        descriptor = os.memfd_create("cellblock-last-words", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.truncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return os.fdopen(descriptor, "w+b", buffering=0)
    file: IO[bytes] = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115 - its caller owns it
    file.truncate(size)
    return file


def open_log() -> IO[bytes]:
    """A file without a name for a process's complaints."""
    return tempfile.TemporaryFile("w+b", buffering=0)


def exit_sentence(returncode: int | None, complaints: str = "") -> str:
    """How a kernel's process ended, in a sentence.

    Args:
        returncode: As ``subprocess`` gives it: negative for a signal; None if nobody knows.
        complaints: What it wrote to its log.
    """
    if returncode is None:
        return "The kernel ended. With what exit code is not known: the fork server that would have told was gone."
    if returncode >= 0:
        return f"The kernel exited with code {returncode}."
    number = -returncode
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "unknown"
    return f"The kernel was killed by signal {number} ({name}).{_crash_site(complaints)}"


def _crash_site(complaints: str) -> str:
    """The user's frames of the stack that faulthandler writes when native code crashes the kernel."""
    if "Fatal Python error" not in complaints:
        return ""
    frames = [line.strip() for line in complaints.splitlines() if line.strip().startswith("File ")]
    users = list(itertools.takewhile(lambda frame: "/IPython/core/interactiveshell.py" not in frame, frames))
    return f" It crashed in {'; called from '.join(users[:5])}." if users else ""
