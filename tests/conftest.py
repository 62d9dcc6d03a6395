"""What all tests share: the event loop's kind, and the guard that fails a test which leaves something behind."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.sandbox.interpreter import examine
from cellblock.kernels.sandbox.join import sandbox_fork_server
from engine_turns import engine_turn
from kernelspecs import kernelspecs

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["kernelspecs"]

_SHARED = Path(tempfile.gettempdir())

# A folder of this worker's own, so that what it leaves is known to be its own; short, for the paths of sockets.
_TEMPORARY = tempfile.mkdtemp(prefix="cb-")
os.environ["TMPDIR"] = tempfile.tempdir = _TEMPORARY

# A shell starts background jobs with SIGINT ignored, which every process of the tests would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

_CAN_CONFINE = shutil.which("bwrap") is not None

_SETTLES_WITHIN = 5.0  # seconds in which what was told to end must have ended
_OURS_FOR_LIFE = ("cellblock-loop", "asyncio_")  # threads one per process, by design
_PROCESSES_FOR_LIFE = ("forkserver", "resource_tracker")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    marker = item.get_closest_marker("docker")
    if marker is None:
        return (yield)
    with engine_turn(_SHARED, alone=marker.kwargs.get("alone", False)):
        return (yield)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _process_is_warm() -> Iterator[None]:
    """Opens what a process opens once and keeps, so that no test is charged with it."""
    from cellblock import Session

    with Session() as session:
        session.run("1")
    yield
    shutil.rmtree(_TEMPORARY, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nothing_is_left(_process_is_warm: None) -> Iterator[None]:
    _start_fork_servers()
    before = _Held()
    yield
    _start_fork_servers()
    until = time.monotonic() + _SETTLES_WITHIN
    while (left := _Held().beyond(before)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not left, f"the test left behind: {', '.join(left)}"


def _start_fork_servers() -> None:
    """Starts what a process has one of for its life; a test may have replaced it."""
    fork_server()
    if _CAN_CONFINE:
        sandbox_fork_server(examine(sys.executable))


class _Held:
    """What this process holds now."""

    def __init__(self) -> None:
        self.threads = [t.name for t in threading.enumerate() if not t.name.startswith(_OURS_FOR_LIFE)]
        self.processes = [_describe(p) for p in psutil.Process().children(recursive=True)]
        self.processes = [p for p in self.processes if p and not any(word in p for word in _PROCESSES_FOR_LIFE)]
        self.descriptors = _descriptors()
        self.files = sorted(p.name for p in Path(_TEMPORARY).glob("cellblock-*"))

    def beyond(self, before: _Held) -> list[str]:
        found = []
        for what in ("threads", "processes", "descriptors", "files"):
            then, now = getattr(before, what), getattr(self, what)
            if len(now) > len(then):
                found.append(f"{len(now) - len(then)} {what} (before: {then}; now: {now})")
        return found


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {process.status()} {' '.join(process.cmdline())[:200]}"
    except psutil.NoSuchProcess:
        return ""


def _descriptors() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(f"{entry.name} {entry.readlink()}")
        except FileNotFoundError:  # the one that listed the folder
            continue
    return found
