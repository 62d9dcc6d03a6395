"""The owner's side of a fork server: its process, and asking it for kernels."""

from __future__ import annotations

import array
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError
from cellblock.kernels.forkserver.rules import read_at_start
from cellblock.kernels.launch import PROGRAM, filled_pipe
from cellblock.kernels.process import let_go_in_children, open_log
from cellblock.kernels.readable import is_readable

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

__all__ = ["ForkServer", "end_fork_servers", "fork_server"]

_MOST_SERVERS = 4  # kept at a time; a process rarely changes what one depends on
_LOG_TAIL = 4000  # bytes


class ForkServer:
    """A process that forks kernels. May be used from any thread and any event loop.

    It belongs to this process: it ends when this one does, however that ends. Use ``fork_server()``.

    Args:
        preload: Packages it imports.
        environment: Its whole environment, for a server of sandboxed kernels; None for a server of others, which has the
            caller's.
    """

    def __init__(self, preload: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        self.preload = tuple(preload)
        self._hearing = threading.Lock()
        self._heard = b""
        with ExitStack() as handed:
            self._control, theirs = socket.socketpair()
            handed.callback(theirs.close)
            lifeline, self._lifeline = os.pipe()
            handed.callback(os.close, lifeline)
            self._log = open_log()
            config = {"control": theirs.fileno(), "lifeline": lifeline, "preload": self.preload}
            config_fd = filled_pipe(json.dumps(config).encode())
            handed.callback(os.close, config_fd)
            program = PROGRAM / ("fork_server.py" if environment is None else "sandbox/fork_server.py")
            self._process = subprocess.Popen(
                [sys.executable, "-Xfrozen_modules=off", str(program), str(config_fd)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(theirs.fileno(), lifeline, config_fd),
                start_new_session=True,
            )
        self._control.setblocking(False)
        let_go_in_children(self)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process is there, kernels or not."""
        return self._process.poll() is None

    @property
    def retired(self) -> bool:
        """Whether it takes no more requests."""
        return self._control.fileno() < 0

    def ask(self, descriptors: Sequence[int]) -> bool:
        """Asks for a kernel; tells whether there was room for the request, which is not so when too many are waiting.

        Args:
            descriptors: What it gets, its channel first.

        Raises:
            OSError: The server is gone.
        """
        rights = array.array("i", descriptors)
        try:
            self._control.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError as error:
            # Descriptors in flight are counted against what a process may have open (unix(7)).
            if error.errno in (errno.EAGAIN, errno.ETOOMANYREFS):
                return False
            raise
        return True

    def wait_until_ready(self, timeout: float) -> None:
        """Blocks until the packages are imported and checked.

        Args:
            timeout: Seconds it may take.

        Raises:
            ConfigError: A package must not be preloaded, or it took longer; the message says why.
        """
        until = time.monotonic() + timeout
        with self._hearing:
            while b"\n" not in self._heard:
                if not is_readable(self._control, max(0.0, until - time.monotonic())):
                    raise ConfigError(
                        f"The packages cannot be preloaded: {', '.join(self.preload)} took longer than {timeout:g} s. "
                        "Leave out of preload what takes so long."
                    )
                said = self._control.recv(65536)
                if not said:
                    raise ConfigError(f"The fork server ended while it imported packages: {self.complaints()}")
                self._heard += said
        refused = json.loads(self._heard)["refused"]
        if refused is not None:
            raise ConfigError(f"The packages cannot be preloaded: {refused}. Leave it out of preload.")

    def complaints(self) -> str:
        """The end of what its process wrote."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_TAIL))
        return self._log.read().decode("utf-8", "replace").strip() or "it said nothing"

    def retire(self) -> None:
        """Takes no more requests; the process ends with its last kernel."""
        self._control.close()

    def end(self) -> None:
        """Ends the process and waits for that; its kernels go on. May be called more than once."""
        self.retire()
        self._close_lifeline()
        self._process.wait()
        self._log.close()

    def let_go(self) -> None:
        """In a forked child: leaves the server to its owner."""
        self._control.close()
        self._close_lifeline()
        self._process.returncode = 0  # not the child's to wait for

    def _close_lifeline(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


class _Servers:
    """The fork servers of this process, by what they depend on."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forgets all of them: in a forked child they belong to the parent."""
        self._lock = threading.Lock()
        self._current: dict[Hashable, ForkServer] = {}
        self._retired: list[ForkServer] = []

    def get(self, preload: Sequence[str], environment: Mapping[str, str] | None) -> ForkServer:
        read = read_at_start(os.environ) if environment is None else tuple(sorted(environment.items()))
        user = (os.getresuid(), os.getresgid(), tuple(os.getgroups()))
        key = (tuple(preload), environment is None, read, user)
        with self._lock:
            self._sweep()
            server = self._current.pop(key, None)
            if server is None:
                server = ForkServer(preload, environment)
            self._current[key] = server  # the last one used is the last
            for oldest in list(self._current)[:-_MOST_SERVERS]:
                self._current[oldest].retire()
            return server

    def end_all(self) -> None:
        with self._lock:
            for server in (*self._current.values(), *self._retired):
                server.end()
            self._current.clear()
            self._retired.clear()

    def _sweep(self) -> None:
        """Sorts out those that take no more requests, and takes leave of those that have ended."""
        gone = [key for key, server in self._current.items() if server.retired or not server.running]
        self._retired += [self._current.pop(key) for key in gone]
        for server in [server for server in self._retired if not server.running]:
            server.end()
            self._retired.remove(server)


_SERVERS = _Servers()
if sys.platform == "linux":
    import atexit

    os.register_at_fork(after_in_child=_SERVERS.renew)
    atexit.register(_SERVERS.end_all)


def end_fork_servers() -> None:
    """Ends all fork servers of this process; their kernels go on. The next kernel starts another."""
    _SERVERS.end_all()


def fork_server(preload: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> ForkServer:
    """This process's fork server for some packages, started with the first call.

    Servers are told apart by what a fork cannot change: the packages, the environment variables that are read at a start,
    and the user.

    Args:
        preload: Names of the packages.
        environment: Its whole environment, for the server of sandboxed kernels; see ``ForkServer``.
    """
    return _SERVERS.get(preload, environment)
