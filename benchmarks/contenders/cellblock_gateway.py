"""cellblock's executor on a Jupyter Kernel Gateway as its makers ship it."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from typing import ClassVar

from benchmarks.contenders import cellblock_executor
from cellblock import JupyterCodeExecutor
from cellblock.coding.jupyter import JupyterConnectionInfo

_START_TIMEOUT = 60.0  # seconds


def _gateway() -> JupyterConnectionInfo:
    """Where a gateway is that ends with this process's harness."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    options = (f"--KernelGatewayApp.port={port}", "--KernelGatewayApp.port_retries=0")
    subprocess.Popen([sys.executable, "-m", "kernel_gateway", *options], stdin=subprocess.DEVNULL)
    until = time.monotonic() + _START_TIMEOUT
    while not _answers(port):
        if time.monotonic() > until:
            raise TimeoutError("The Kernel Gateway did not start.")
        time.sleep(0.1)
    return JupyterConnectionInfo(host="127.0.0.1", use_https=False, port=port)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("GET", "/api")
        return connection.getresponse().status == http.client.OK
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


class Contender(cellblock_executor.Contender):
    info: ClassVar[JupyterConnectionInfo] = _gateway()

    def __init__(self, timeout: float = 60.0) -> None:
        self.executor = JupyterCodeExecutor(self.info, timeout=int(timeout))
