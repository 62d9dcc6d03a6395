"""Servers as their makers ship them, for tests: each in a process of its own, on a port of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cellblock.servers.connection_info import JupyterConnectionInfo

if TYPE_CHECKING:
    from pathlib import Path

_START_TIMEOUT = 60.0


@dataclass(frozen=True)
class StockServer:
    info: JupyterConnectionInfo
    process: subprocess.Popen[bytes]
    root: Path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def stock_server(root: Path, *options: str, token: str | None = None, answers_http: bool = True):
    """A Jupyter Server with the options given; one with a certificate does not answer in plain http."""
    port = free_port()
    token = secrets.token_hex(8) if token is None else token
    command = [
        "jupyter_server",
        "--allow-root",
        "--no-browser",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={root}",
        *options,
    ]
    info = JupyterConnectionInfo("127.0.0.1", False, port, token)
    with _running(command, info, root, answers_http=answers_http) as server:
        yield server


@contextlib.contextmanager
def stock_gateway(root: Path, *options: str, lists_kernels: bool = True):
    """A Jupyter Kernel Gateway with the options given."""
    port = free_port()
    token = secrets.token_hex(8)
    command = [
        "kernel_gateway",
        f"--KernelGatewayApp.port={port}",
        "--KernelGatewayApp.port_retries=0",
        f"--KernelGatewayApp.auth_token={token}",
        f"--JupyterWebsocketPersonality.list_kernels={lists_kernels}",
        *options,
    ]
    with _running(command, JupyterConnectionInfo("127.0.0.1", False, port, token), root) as server:
        yield server


@contextlib.contextmanager
def _running(module_and_options: list[str], info: JupyterConnectionInfo, root: Path, *, answers_http: bool = True):
    root.mkdir(parents=True, exist_ok=True)
    _install_bash_kernel(root / "path")
    log = root / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *module_and_options],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=os.environ
            | {f"JUPYTER_{name.upper()}": str(root / name) for name in ("config_dir", "runtime_dir", "path")},
        )
    try:
        _wait_until(_answers if answers_http else _listens, info, process, log)
        yield StockServer(info, process, root)
    finally:
        kill_group(process)


def _install_bash_kernel(data_dir: Path) -> None:
    """Another language's kernel, whether or not it is installed here."""
    argv = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]
    folder = data_dir / "kernels" / "bash"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Bash", "language": "bash"}))


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a server with everything it started."""
    children = _descendants(process.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _wait_until(ready, info: JupyterConnectionInfo, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            ready(info)
            return
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-2000:]}")


def _listens(info: JupyterConnectionInfo) -> None:
    socket.create_connection((info.host, info.port), timeout=5).close()


def _answers(info: JupyterConnectionInfo) -> None:
    with contextlib.closing(http.client.HTTPConnection(info.host, info.port, timeout=5)) as connection:
        connection.request("GET", "/api")
        connection.getresponse().read()


@pytest.fixture(scope="session")
def jupyter_server(tmp_path_factory):
    """A stock Jupyter Server, one for the whole run."""
    with stock_server(tmp_path_factory.mktemp("jupyter-server")) as server:
        yield server


@pytest.fixture(scope="session")
def kernel_gateway(tmp_path_factory):
    """A stock Kernel Gateway, one for the whole run."""
    with stock_gateway(tmp_path_factory.mktemp("kernel-gateway")) as server:
        yield server


@pytest.fixture(scope="session", params=["jupyter_server", "kernel_gateway"])
def any_server(request: pytest.FixtureRequest):
    """Each kind of stock server in turn."""
    return request.getfixturevalue(request.param)
