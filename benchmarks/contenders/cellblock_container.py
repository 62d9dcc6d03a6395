"""cellblock's executor on a server in a Docker container.

The variable BENCH_BASE_IMAGE names another base for the image than the default, for where that cannot be pulled.
"""

from __future__ import annotations

import os
from typing import ClassVar

from benchmarks.contenders import cellblock_executor
from cellblock import JupyterCodeExecutor
from cellblock.coding.jupyter import DockerJupyterServer


def _server() -> DockerJupyterServer:
    base = os.environ.get("BENCH_BASE_IMAGE")
    return DockerJupyterServer() if base is None else DockerJupyterServer(base_image=base, build_network="host")


class Contender(cellblock_executor.Contender):
    server: ClassVar[DockerJupyterServer] = _server()

    def __init__(self, timeout: float = 60.0) -> None:
        self.executor = JupyterCodeExecutor(self.server, timeout=int(timeout))
