"""A Jupyter server of one's own, in a child process."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cellblock._core.connection_info import JupyterConnectionInfo
from cellblock._core.pool_arguments import checked_pool
from cellblock.errors import ConfigError, MissingDependency, ServerStartError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.transports.rest import JupyterClient

__all__ = ["LocalJupyterServer"]

_PROGRAM = Path(__file__).with_name("local_server_main.py")
_LONGEST_PARENT = 60  # bytes of the path of the folder for temporary files
_STOP_TIMEOUT = 8.0  # seconds for the server and its kernels to end by themselves
_TAIL = 10  # lines of what a server said last that are shown
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to reach what listens everywhere


class LocalJupyterServer:
    """A Jupyter server on this machine. The code of its kernels runs as you and can do what you can.

    The constructor returns once the server answers, in about half a second; in a coroutine, call it with
    ``asyncio.to_thread``. Use it as ``with LocalJupyterServer() as server``, or call ``stop()``. The server ends with this
    process, however that ends, and its kernels with it.

    Args:
        ip: The address to listen on; with any but a loopback address others can reach it.
        port: The port; any that is free if not given.
        token: What clients must send; a new one if not given. An empty string or None lets every user of this machine in.
        log_file: Where the server logs; in a temporary folder of its own if not given.
        log_level: From "DEBUG" to "CRITICAL".
        log_max_bytes: The size at which the log is rotated.
        log_backup_count: How many rotated logs are kept.
        root_dir: Where kernels start and files are served from; the current directory if not given.
        pool: How many kernels wait, ready, for those who will ask for one: one, unless there is a sandbox. As with
            ``KernelPool``, each is used by nobody before and another takes its place; Linux only.
        preload: Packages that kernels have imported already, such as "numpy", "pandas". Each is tried first; Linux only.
        sandbox: What confines each of its kernels; without one they have the rights of this process.
        start_timeout: Seconds the server may take to answer.

    Attributes:
        ip: The address it listens on.
        port: The port it listens on.
        token: What clients must send.
        log_file: Where it logs.
        sandbox: What confines its kernels, if anything does.

    Raises:
        ConfigError: An argument cannot be used, or a package must not be preloaded; the message says why.
        MissingDependency: Jupyter Server is not installed.
        SandboxUnavailable: There can be no sandbox here.
        ServerStartError: The server did not start; the message has the end of what it said.
    """

    @dataclass
    class GenerateToken:
        """Asks for a new token."""

    def __init__(
        self,
        ip: str = "127.0.0.1",
        port: int | None = None,
        token: str | GenerateToken | None = GenerateToken(),  # noqa: B008 - it has no state
        log_file: str | os.PathLike[str] | None = None,
        log_level: str = "INFO",
        log_max_bytes: int = 1048576,
        log_backup_count: int = 3,
        *,
        root_dir: str | os.PathLike[str] | None = None,
        pool: int | None = None,
        preload: Sequence[str] = (),
        sandbox: Sandbox | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        if importlib.util.find_spec("jupyter_server") is None:
            raise MissingDependency.for_extra("A local Jupyter server", "server")
        if pool is None:
            pool = 1 if sandbox is None else 0
        checked_pool(pool, preload)
        self.ip = ip
        self.sandbox = sandbox
        self.token = secrets.token_hex(32) if isinstance(token, self.GenerateToken) else token or ""
        settings = {
            "ip": ip,
            "port": _checked_port(port),
            "token": self.token,
            "root_dir": _checked_directory(root_dir),
            "pool": pool,
            "preload": list(preload),
            "sandbox": None if sandbox is None else _checked_sandbox(sandbox, pool, preload),
            "log_level": _checked_level(log_level),
            "log_max_bytes": log_max_bytes,
            "log_backup_count": log_backup_count,
        }
        asked = None if log_file is None else _checked_log_file(Path(log_file).absolute())
        state = _private_folder()
        self.log_file = asked or state / "server.log"
        settings |= {"state_dir": str(state), "log_file": str(self.log_file)}
        self._process = _spawn(settings)
        self._finalizer = weakref.finalize(self, _end, self._process, state, os.getpid())
        _RUNNING.add(self._process)
        try:
            self.port = _await_ready(self._process, start_timeout, self.log_file)
        except BaseException:
            self.stop()
            raise

    @property
    def connection_info(self) -> JupyterConnectionInfo:
        """Where the server is."""
        host = _EVERYWHERE.get(self.ip, self.ip)
        return JupyterConnectionInfo(host=host, use_https=False, port=self.port, token=self.token)

    def get_client(self) -> JupyterClient:
        """A client of the server's API."""
        from cellblock.transports.rest import JupyterClient

        return JupyterClient(self.connection_info)

    def wait(self) -> str:
        """Waits until the server ends by itself, and gives the end of its log."""
        self._process.wait()
        return "\n".join(_tail(self.log_file))

    def stop(self) -> None:
        """Ends the server and its kernels; may be called more than once."""
        self._finalizer()

    def __enter__(self) -> Self:
        """Gives the server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the server."""
        self.stop()


def _private_folder() -> Path:
    """A folder that only we can read, for sockets: their paths have at most about a hundred bytes."""
    elsewhere = tempfile.gettempdir()
    too_long = sys.platform != "win32" and len(os.fsencode(elsewhere)) > _LONGEST_PARENT
    return Path(tempfile.mkdtemp(prefix="cellblock-server-", dir="/tmp" if too_long else None))  # noqa: S108 - mode 0700


def _spawn(settings: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Starts the program and tells it its settings: on its standard input, where no other process can read them."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-Xfrozen_modules=off", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C in our terminal is for us
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    with contextlib.suppress(BrokenPipeError):  # it has ended; what it said is read next
        _pipe(process.stdin).write(json.dumps(settings).encode() + b"\n")
        _pipe(process.stdin).flush()
    return process


def _await_ready(process: subprocess.Popen[bytes], timeout: float, log_file: Path) -> int:
    """Waits until the program says that it serves, and gives its port.

    Raises:
        ConfigError: It says that what was asked for must not be.
        ServerStartError: It ended, or took too long.
    """
    expired = threading.Event()

    def give_up() -> None:
        expired.set()
        process.kill()

    timer = threading.Timer(timeout, give_up)
    timer.start()
    said = b""
    try:
        for line in _pipe(process.stdout):
            match _message(line):
                case {"port": int(port)}:
                    return port
                case {"refused": str(reason)}:
                    raise ConfigError(reason)
            said += line
    finally:
        timer.cancel()
        timer.join()
    if expired.is_set():
        raise ServerStartError(f"Jupyter gateway server failed to start. It did not answer within {timeout:g} s.")
    tail = [*_tail(log_file), *said.decode(errors="replace").strip().splitlines()][-_TAIL:] or ["It said nothing."]
    raise ServerStartError("\n".join(("Jupyter gateway server failed to start.", *tail)))


def _message(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # any other line: a warning, a traceback
        return None


def _tail(log_file: Path) -> list[str]:
    logged = log_file.read_text(errors="replace") if log_file.exists() else ""
    return logged.strip().splitlines()[-_TAIL:]


def _end(process: subprocess.Popen[bytes], state: Path, owner: int) -> None:
    """Ends a server: asks it to, and kills it if that does not help."""
    if os.getpid() != owner:
        return
    with contextlib.suppress(OSError):  # it has ended already
        _pipe(process.stdin).write(b"end\n")  # its end of file alone would wait for processes forked from this one
        _pipe(process.stdin).close()
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _pipe(process.stdout).close()
    shutil.rmtree(state, ignore_errors=True)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _checked_port(port: int | None) -> int:
    if port is not None and not 0 <= port <= 65535:
        raise ConfigError(f"port must be a number from 0 to 65535, or None for any that is free; it was {port!r}.")
    return port or 0


def _checked_directory(path: str | os.PathLike[str] | None) -> str:
    directory = Path(path if path is not None else ".").absolute()
    if not directory.is_dir():
        raise ConfigError(f"root_dir must be an existing directory, and {directory} is none. Create it first.")
    return str(directory)


def _checked_sandbox(sandbox: Sandbox, pool: int, preload: Sequence[str]) -> dict[str, Any]:
    if pool or preload:
        raise ConfigError(
            "A server's kernels are either confined or started ahead: leave out sandbox, or pool and preload."
        )
    from cellblock.servers.local_sandbox import sandbox_settings

    return sandbox_settings(sandbox)


def _checked_log_file(path: Path) -> Path:
    try:
        path.open("a").close()
    except OSError as error:
        raise ConfigError(
            f"log_file must be a file that can be written, and {path} is none: {error.strerror}."
        ) from error
    return path


def _checked_level(level: str) -> int:
    """The level's number, since Jupyter knows only some of the names."""
    if level not in logging.getLevelNamesMapping():
        raise ConfigError(f'log_level must be one of Python\'s, such as "INFO"; it was {level!r}.')
    return logging.getLevelNamesMapping()[level]


_RUNNING: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()


def _let_go() -> None:
    """In a process forked from this one: lets go of the pipes that tie servers to us."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for process in _RUNNING:
        if process.stdin is not None and not process.stdin.closed:
            os.dup2(nowhere, process.stdin.fileno(), inheritable=False)
    os.close(nowhere)


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)
