"""A JupyterHub with its proxy and one user whose server runs, for tests."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from cellblock.servers.connection_info import JupyterConnectionInfo
from servers.stock import free_port, kill_group

PROXY = "configurable-http-proxy"
USER = "ann"


def proxy_command() -> str | None:
    """The hub's proxy, a program of Node's: on the path, or where the tests' environment has it."""
    beside = Path(sys.executable).parents[1] / "node_modules" / ".bin" / PROXY
    return str(beside) if beside.exists() else shutil.which(PROXY)


@contextlib.contextmanager
def jupyterhub(root: Path):
    """The way to the user's server, through the hub's proxy, with a token of the user's."""
    service_token, port = secrets.token_hex(16), free_port()
    url = f"http://127.0.0.1:{port}"
    (root / "config.py").write_text(_config(port, service_token, root))
    log = root / "hub.log"
    with log.open("wb") as output:
        hub = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", "config.py"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=os.environ | {"CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16)},
        )
    try:
        api = f"{url}/hub/api/users/{USER}"
        _call("POST", api, service_token, log, retry_until=time.monotonic() + 60)
        _call("POST", f"{api}/server", service_token, log)
        _until_ready(api, service_token, log)
        token = json.loads(_call("POST", f"{api}/tokens", service_token, log))["token"]
        yield JupyterConnectionInfo.from_url(f"{url}/user/{USER}/lab?token={token}")
    finally:
        kill_group(hub)


def _config(port: int, token: str, root: Path) -> str:
    settings = {
        "JupyterHub.bind_url": f"http://127.0.0.1:{port}",
        "JupyterHub.hub_port": free_port(),
        "JupyterHub.authenticator_class": "dummy",
        "JupyterHub.spawner_class": "simple",
        "JupyterHub.services": [{"name": "tests", "api_token": token}],
        "JupyterHub.load_roles": [
            {"name": "tests", "services": ["tests"], "scopes": ["admin:users", "admin:servers", "tokens"]}
        ],
        "Authenticator.allow_all": True,
        "ConfigurableHTTPProxy.command": [proxy_command()],
        "ConfigurableHTTPProxy.api_url": f"http://127.0.0.1:{free_port()}",
        "ConfigurableHTTPProxy.pid_file": str(root / "proxy.pid"),
        "SimpleLocalProcessSpawner.home_dir_template": str(root),
        "Spawner.cmd": [sys.executable, "-m", "jupyterhub.singleuser"],
        "Spawner.args": ["--allow-root"],
        "Spawner.environment": {"JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp"},
    }
    return "".join(f"c.{name} = {value!r}\n" for name, value in settings.items())


def _until_ready(api: str, token: str, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        server = json.loads(_call("GET", api, token, log))["servers"].get("", {})
        if server.get("ready"):
            return
        time.sleep(0.1)
    raise AssertionError(f"the user's server did not start:\n{log.read_text()[-3000:]}")


def _call(method: str, url: str, token: str, log: Path, *, retry_until: float = 0.0) -> bytes:
    request = urllib.request.Request(
        url, method=method, headers={"Authorization": f"token {token}"}, data=b"" if method == "POST" else None
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.read()
        except (urllib.error.URLError, ConnectionError) as error:
            if time.monotonic() > retry_until:
                raise AssertionError(f"the hub did not answer ({error}):\n{log.read_text()[-3000:]}") from error
            time.sleep(0.1)
