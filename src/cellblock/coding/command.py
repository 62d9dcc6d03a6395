"""Running one command to its end or its deadline, with all that it printed.

A command gets a process group of its own, so that at the deadline (or on Ctrl-C) everything it started ends with it.
What it prints is read as it comes and kept within bounds: the beginning and the end of each stream.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Cancelled", "Finished", "KeptText", "run_cancellable", "run_command"]

T = TypeVar("T")

_KEPT_BYTES = 8 * 1024 * 1024  # of each stream
_REAP_SECONDS = 0.5
_POLL_SECONDS = 0.25  # between looks whether the caller has given up
_DRAIN_SECONDS = 0.5  # for what a process left in its pipes when it ended


class Cancelled(Exception):
    """Nobody waits for the command any more, so it was ended."""


async def run_cancellable(function: Callable[[threading.Event], T]) -> T:
    """What a function that blocks gives, run in a thread. Cancelling waits until the function has ended.

    Args:
        function: Gets an event, which is set on cancellation; it then ends soon, for example with ``Cancelled``.
    """
    cancelled = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(function, cancelled))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        cancelled.set()
        with suppress(Cancelled):
            await running
        raise


@dataclass(frozen=True, slots=True)
class Finished:
    """What running a command came to.

    Attributes:
        exit_code: The command's own, 128 + n if signal n killed it, or 124 if its time was over.
        stdout: What it wrote there.
        stderr: What it wrote there.
        cause: For a process killed by a signal, a sentence that says so; else empty.
    """

    exit_code: int
    stdout: str
    stderr: str
    cause: str = ""


class KeptText:
    """The text of a stream of bytes, bounded: past ``limit`` its middle is left out, and said to be.

    Args:
        limit: How many bytes are kept.
    """

    def __init__(self, limit: int = _KEPT_BYTES) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._omitted = 0

    def add(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        room = max(0, self._half - len(self._head))
        self._head += chunk[:room]
        if rest := chunk[room:]:
            self._tail.append(rest)
            self._tail_size += len(rest)
        while self._tail and self._tail_size - len(self._tail[0]) >= self._half:
            dropped = len(self._tail.popleft())
            self._tail_size -= dropped
            self._omitted += dropped

    def text(self) -> str:
        """What was kept, decoded as UTF-8, with a line feed for each line break."""
        head, tail = bytes(self._head), b"".join(self._tail)
        if not self._omitted:
            return _decode(head + tail)
        return f"{_decode(head)}\n[{self._omitted:,} bytes of output were left out here.]\n{_decode(tail)}"


def run_command(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float, cancelled: threading.Event
) -> Finished:
    """Runs a command that has no standard input.

    Processes that the command leaves in the background go on, as in a shell; their output is no longer waited for.

    Args:
        command: The program and its arguments.
        cwd: Where it runs.
        env: Its whole environment.
        timeout: Seconds until it and all processes of its group are killed.
        cancelled: Set by another thread to have them killed at once.

    Raises:
        FileNotFoundError: There is no such program.
        Cancelled: ``cancelled`` was set.
    """
    with ThreadPoolExecutor(max_workers=1) as starter:
        # Ctrl-C is raised in the main thread only: in another one, no process can be started without being known.
        starting = starter.submit(_start, command, cwd, env)
        try:
            process = starting.result()
            stdout, stderr = _Reader(process.stdout), _Reader(process.stderr)
            exit_code = _exit_code(process, time.monotonic() + timeout, cancelled)
        except BaseException:
            _kill_group(starting.result())
            raise
    drained_by = time.monotonic() + _DRAIN_SECONDS
    texts = stdout.text(drained_by), stderr.text(drained_by)
    if exit_code < 0:
        return Finished(128 - exit_code, *texts, f"The process was killed by {_signal_name(-exit_code)}.")
    return Finished(exit_code, *texts)


def _start(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _exit_code(process: subprocess.Popen[bytes], deadline: float, cancelled: threading.Event) -> int:
    while not cancelled.is_set():
        left = deadline - time.monotonic()
        try:
            return process.wait(max(0.0, min(left, _POLL_SECONDS)))
        except subprocess.TimeoutExpired:
            if left <= _POLL_SECONDS:
                _kill_group(process)
                return 124
    raise Cancelled


class _Reader:
    """Reads a pipe in a thread of its own until every process that holds its other end has closed it."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._kept = KeptText()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, args=(pipe,), name="cellblock-output", daemon=True)
        self._thread.start()

    def text(self, until: float) -> str:
        """What has come, waiting for the end of the stream no longer than until that time."""
        self._thread.join(max(0.0, until - time.monotonic()))
        with self._lock:
            return self._kept.text()

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                with self._lock:
                    self._kept.add(chunk)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)  # noqa: S607
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if sys.platform != "win32":
        _await_end_of_group(process.pid)


def _await_end_of_group(group: int) -> None:
    """Waits until the killed processes are gone; where nobody reaps them, not for long."""
    until = time.monotonic() + _REAP_SECONDS
    with suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(group, 0)
            time.sleep(0.005)


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


def _decode(data: bytes) -> str:
    return data.decode("utf-8", errors="replace").replace("\r\n", "\n")
