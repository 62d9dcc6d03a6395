"""What there is on the host for cases to get hold of, put there for them and watched."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cellblock.kernels.sandbox.syscalls import syscall_numbers
from cellblock.kernels.sandbox.tree import remove

if TYPE_CHECKING:
    from cellblock.kernels.sandbox.options import Limits

__all__ = ["Host"]

_VARIABLE = "CELLBLOCK_TEST_TOKEN"
_LOOK_EVERY = 0.05  # seconds


class Host:
    """Secrets, services and a process of the host. Everything is gone on leaving.

    Args:
        limits: What the kernel may use.
        is_plain: Whether the kernel is in no sandbox, so that cases tidy up behind them.
    """

    def __init__(self, limits: Limits, *, is_plain: bool) -> None:
        self._limits, self.is_plain = limits, is_plain
        self.token, self._spoken = secrets.token_hex(16), secrets.token_hex(16)
        self._put = contextlib.ExitStack()
        self._stop = threading.Event()
        self._reachable: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Puts everything in place."""
        with contextlib.ExitStack() as put:
            self.folder = Path(tempfile.mkdtemp(prefix="cellblock-"))
            put.callback(remove, self.folder)
            self._put_files(put)
            self._put_services(put)
            self._sentinel = subprocess.Popen(["/bin/sh", "-c", "read it", self._spoken], stdin=subprocess.PIPE)
            put.callback(self._end_sentinel)
            os.environ[_VARIABLE] = self.token
            put.callback(os.environ.pop, _VARIABLE)
            self._put = put.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        """Takes everything away."""
        self._put.close()
        for listener in self._reachable:
            listener.close()

    def workspace(self) -> Path:
        """A fresh workspace, in which there is a Python environment, and in both a service listens."""
        folder = Path(tempfile.mkdtemp(prefix="workspace-", dir=self.folder))
        (folder / "project" / "environment" / "lib" / "python3" / "site-packages").mkdir(parents=True)
        for place in (folder, folder / "project" / "environment"):
            self._listen_in(place)
        return folder

    def _listen_in(self, place: Path) -> None:
        listener = socket.socket(socket.AF_UNIX)
        self._reachable.append(listener)
        folder = os.open(place, os.O_PATH | os.O_CLOEXEC)
        listener.bind(f"/proc/self/fd/{folder}/service")  # the path itself may be too long for a socket
        os.close(folder)
        (place / "service").chmod(0o777)
        listener.listen()

    def prelude(self) -> str:
        """A cell that tells the kernel what there is."""
        source = Path(__file__).with_name("in_kernel.py").read_text(encoding="utf-8")
        return (
            f"{source}\nWORLD.update({self._world()!r})\nNUMBERS.update({dict(syscall_numbers(platform.machine()))!r})"
        )

    def harm(self) -> str:
        """What was done to the host, in a word; empty if nothing."""
        if self._outside.read_text() != "untouched":
            self._outside.write_text("untouched")
            return "a file outside was changed"
        in_home = Path.home() / ".cellblock-was-here"
        if in_home.exists():
            in_home.unlink()
            return "a file was put into the home"
        if self._sentinel.poll() is not None:
            return "a process of the host was ended"
        return ""

    def call_when_it_listens(self, workspace: Path) -> None:
        """Connects to whatever port a case says it listens on, once."""

        def call() -> None:
            named = workspace / "listening-port"
            while not self._stop.wait(_LOOK_EVERY):
                with contextlib.suppress(OSError, ValueError):
                    port = int(named.read_text())
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    return

        threading.Thread(target=call, name="cellblock-caller", daemon=True).start()

    def _world(self) -> dict[str, Any]:
        return {
            "token": self.token,
            "spoken": self._spoken,
            "sentinel": self._sentinel.pid,
            "secret_file": str(self._secret),
            "outside_file": str(self._outside),
            "neighbours_file": str(self._neighbours),
            "home": str(Path.home()),
            "in_home": [entry.name for entry in Path.home().iterdir() if entry not in Path(sys.base_prefix).parents],
            "temporary": tempfile.gettempdir(),
            "passwd": Path("/etc/passwd").read_text(encoding="utf-8"),
            "hostname": socket.gethostname(),
            "ids": [
                file.read_text().strip()
                for file in (Path("/etc/machine-id"), Path("/sys/class/dmi/id/product_uuid"))
                if os.access(file, os.R_OK)
            ],
            "shared_memory": self._shared_memory.name,
            "unix_socket": str(self.folder / "service"),
            "abstract_socket": self._spoken,
            **self._ports,
            "addresses": _own_addresses(),
            "pids": self._limits.pids,
            "memory": self._limits.memory,
            "disk": self._limits.disk,
            "is_plain": self.is_plain,
        }

    def _put_files(self, put: contextlib.ExitStack) -> None:
        self._secret, self._outside = self.folder / "secret", self.folder / "outside"
        self._neighbours = Path(self.workspace(), "secret")
        self._shared_memory = Path("/dev/shm", f"cellblock-{self._spoken}")  # noqa: S108 - where it is
        put.callback(self._shared_memory.unlink)
        for file in (self._secret, self._neighbours, self._shared_memory):
            file.write_text(self.token)
        self._outside.write_text("untouched")
        json_key = self.folder / "kernel.json"
        json_key.write_text('{"key": "of a kernel"}')

    def _put_services(self, put: contextlib.ExitStack) -> None:
        listeners = {}
        for name, family, address in (
            ("path", socket.AF_UNIX, str(self.folder / "service")),
            ("abstract", socket.AF_UNIX, f"\0{self._spoken}"),
            ("loopback_port", socket.AF_INET, ("127.0.0.1", 0)),
            ("loopback_port_6", socket.AF_INET6, ("::1", 0)),
            ("open_port", socket.AF_INET, ("0.0.0.0", 0)),  # noqa: S104 - for a case
        ):
            listener = listeners[name] = put.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.bind(address)
            listener.listen()
        self._ports = {
            name: listener.getsockname()[1] for name, listener in listeners.items() if name.endswith(("port", "6"))
        }
        self._stop.clear()
        answering = threading.Thread(target=self._answer, args=(list(listeners.values()),), daemon=True)
        answering.start()
        put.callback(answering.join)
        put.callback(self._stop.set)

    def _answer(self, listeners: list[socket.socket]) -> None:
        with selectors.DefaultSelector() as selector:
            for listener in listeners:
                selector.register(listener, selectors.EVENT_READ)
            while not self._stop.is_set():
                for key, _ in selector.select(_LOOK_EVERY):
                    assert isinstance(key.fileobj, socket.socket)
                    connection, _ = key.fileobj.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(b"HTTP/1.1 200 Here\r\nContent-Length: 0\r\n\r\n")

    def _end_sentinel(self) -> None:
        assert self._sentinel.stdin is not None
        self._sentinel.stdin.close()
        self._sentinel.wait()


def _own_addresses() -> list[str]:
    """The host's addresses that others reach it by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return [probe.getsockname()[0], "127.0.0.1"]
    return ["127.0.0.1"]
