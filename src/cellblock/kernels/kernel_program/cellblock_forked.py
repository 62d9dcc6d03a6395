"""What a process forked by the fork server does to become a kernel like any other.

It talks with its owner in lines of JSON on its channel. The owner says two things. First what to become: ``descriptors``,
the names of those that came with the channel; ``spare``; and what ``make_app`` takes, or ``argv``, the arguments of
ipykernel_launcher, for a kernel as Jupyter starts it. Then where: ``cwd``, ``env``, and what a child of the owner would have
from it (see ``_inherit``), and to a spare perhaps another ``key``. A spare does not wait for the second before it makes itself
ready. The process says ``pid``, ``settled`` and ``ready``, a spare the last before the second; or instead of ``settled``,
``stale``, a path that has changed since the fork server read it, and ends. In a sandbox one that is no spare makes itself ready
before the second too, and says ``settled`` last.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
from cellblock_kernel_app import make_app, make_standard_app, new_app
from cellblock_process import complaints_to, end_with_owner, silence_own_streams, trace_crashes
from tornado.ioloop import IOLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock_kernel_app import App
    from cellblock_staleness import Imported
    from ipykernel.kernelapp import IPKernelApp


INLINE_BACKEND = "module://matplotlib_inline.backend_inline"
"""What ipykernel sets MPLBACKEND to."""

_OWN_SIGNALS = {signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGKILL, signal.SIGSTOP}
"""How these are handled is the kernel's matter, or Python's, whatever a parent ignored; or nobody can change it."""


class Channel:
    """Lines of JSON to and from the owner.

    Args:
        descriptor: Of the socket.
    """

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._lines = self._socket.makefile("rb")

    def receive(self) -> dict[str, Any]:
        """Waits for what the owner says next; ends the process if it has hung up."""
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            os._exit(0)
        message: dict[str, Any] = json.loads(line)
        return message

    def send(self, message: dict[str, Any]) -> None:
        """Says something; an owner that has hung up will end the process by its lifeline."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(0)

    def close(self) -> None:
        """Ends the talk."""
        self._lines.close()
        self._socket.close()


def run_kernel(descriptors: list[int], imported: Imported, process_name: str) -> None:
    """Becomes a kernel and runs until it is shut down.

    Args:
        descriptors: What came with the request.
        imported: What the fork server had imported.
        process_name: What a Python process is called here.
    """
    os.setsid()
    forget_the_server(process_name)
    channel = Channel(descriptors[0])
    config = channel.receive()
    given = dict(zip(config["descriptors"], descriptors[1:], strict=True))
    end_with_owner(given["lifeline"])
    channel.send({"pid": os.getpid()})
    make_and_run(channel, config, given, imported)


def make_and_run(
    channel: Channel,
    config: dict[str, Any],
    given: dict[str, int],
    imported: Imported | None,
    app: App | None = None,
    confined: Callable[[], None] | None = None,
) -> None:
    """Runs a kernel until it is shut down.

    Args:
        channel: To the owner, who will say where the kernel is to run.
        config: What it is to become.
        given: The descriptors that came with it, by their names.
        imported: What the fork server had imported; None if nothing of it can have changed.
        app: What ``begin`` gave, if it was called already.
        confined: In a sandbox, lets the workspace's modules be imported. Code of theirs must not find the channel.
    """
    with complaints_to(given["log"]):
        if not config["spare"] and confined is None:
            _settle(channel, imported)
            channel.send({"settled": True})
        _take_streams(given)
        made = _make(config, given, app)
        if config["spare"]:
            IOLoop.current().add_callback(_wait_for_use, made, channel, imported, given["log"], confined)
        elif confined is not None:
            _take_place(made, channel, imported, confined)
        else:
            channel.send({"ready": True})
            channel.close()
    trace_crashes(given["log"])
    made.start()


def begin(config: dict[str, Any], given: dict[str, int]) -> App:
    """What can be done of a kernel before it is where it is to run.

    Args:
        config: What it is to become.
        given: The descriptors that came with it, by their names.
    """
    return new_app(_app_config(config, given))


def forget_the_server(process_name: str) -> None:
    """Undoes what must not be the same in two processes.

    Args:
        process_name: What a Python process is called here.
    """
    Path("/proc/self/comm").write_text(process_name)
    sys.argv = [str(Path(sys.argv[0]).parent)]  # as a kernel that was started by itself has it
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    tempfile.tempdir = None  # it depends on the environment
    if "multiprocessing.process" in sys.modules:
        sys.modules["multiprocessing.process"].current_process().authkey = os.urandom(32)


def _settle(channel: Channel, imported: Imported | None) -> dict[str, Any]:
    """Takes the environment, the working directory and the limits that a child of the owner would have.

    Returns:
        What the owner said.
    """
    surroundings = channel.receive()
    changed = None if imported is None else imported.changed()
    if changed is not None:
        channel.send({"stale": changed})
        os._exit(0)
    environment = surroundings["env"]
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    time.tzset()
    _inherit(surroundings)
    os.chdir(surroundings["cwd"])
    if "multiprocessing.process" in sys.modules:
        sys.modules["multiprocessing.process"].ORIGINAL_DIR = str(Path.cwd())
    importlib.invalidate_caches()
    return surroundings


def _inherit(surroundings: dict[str, Any]) -> None:
    """Takes what a process has from its parent, which may have changed since this one's began.

    A right that the owner has lost meanwhile is not taken back: ``nice`` and ``oom_score_adj`` fall only with privileges.
    """
    os.umask(surroundings["umask"])
    for number, limits in surroundings["limits"]:
        resource.setrlimit(number, limits)
    for number in signal.valid_signals() - _OWN_SIGNALS:
        handler = signal.getsignal(number)
        if number in surroundings["ignored"] and handler == signal.SIG_DFL:
            signal.signal(number, signal.SIG_IGN)
        elif number not in surroundings["ignored"] and handler == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for thread in os.listdir("/proc/self/task"):  # a spare has several  # noqa: PTH208 - numbers, not paths
        if surroundings["processors"] is not None:
            with contextlib.suppress(OSError):  # there are none of them left to this process
                os.sched_setaffinity(int(thread), surroundings["processors"])
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, int(thread), surroundings["nice"])
    if surroundings["oom_score_adj"] is not None:
        with contextlib.suppress(PermissionError):
            Path("/proc/self/oom_score_adj").write_text(surroundings["oom_score_adj"])


def _take_streams(given: dict[str, int]) -> None:
    if "stdout" not in given:
        silence_own_streams()
        return
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(given[name], number)
        os.close(given[name])


def _make(config: dict[str, Any], given: dict[str, int], app: App | None) -> IPKernelApp:
    if "argv" in config:
        sys.argv = config["argv"]
        return make_standard_app(config["argv"][1:])
    return make_app(_app_config(config, given), app)


def _app_config(config: dict[str, Any], given: dict[str, int]) -> dict[str, Any]:
    channels = ("shell", "control", "stdin", "iopub")
    return {**config, "sockets": {c: given[c] for c in channels}, "last_words": given["last_words"]}


async def _wait_for_use(
    app: IPKernelApp, channel: Channel, imported: Imported | None, log: int, confined: Callable[[], None] | None
) -> None:
    """In a spare, in its event loop: warms up, and blocks until somebody takes the kernel."""
    with complaints_to(log):
        # A first cell takes three times as long as the next. This one leaves no trace but that: nobody is connected.
        request = app.session.msg("execute_request", {"code": "1", "silent": True})
        await app.kernel.dispatch_shell([zmq.Frame(part) for part in app.session.serialize(request, ident=b"nobody")])
        app.shell.display_formatter.format(1)  # as for a first result
        channel.send({"ready": True})
        _take_place(app, channel, imported, confined)


def _take_place(
    app: IPKernelApp, channel: Channel, imported: Imported | None, confined: Callable[[], None] | None
) -> None:
    """In a kernel that has made itself ready: goes where it is to run. See ``make_and_run``."""
    surroundings = _settle(channel, imported)
    if "key" in surroundings:
        app.session.key = surroundings["key"].encode()
    channel.send({"settled": True})  # the control thread answers clients from here on
    channel.close()
    _begin_here(app)
    if confined is not None:
        confined()


def _begin_here(app: IPKernelApp) -> None:
    """In a spare: what a kernel does to the environment, and notes of it, when it begins."""
    app.shell.init_environment()
    if not os.environ.get("MPLBACKEND"):
        os.environ["MPLBACKEND"] = INLINE_BACKEND
    app.shell.starting_dir = str(Path.cwd())
    app.shell.history_manager.dir_hist[:] = [Path.cwd()]
    session_name = os.environ.get("JPY_SESSION_NAME")
    if session_name:
        app.shell.user_ns["__session__"] = session_name
