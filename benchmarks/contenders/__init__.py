"""The ways to run a cell that are compared, each a class of its own module.

A module is imported only in its contender's own process, by ``benchmarks.worker``, and needs nothing but what it measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["CONTENDERS", "Contender", "Entry"]

ROOT = Path(__file__).parents[2]


class Contender(Protocol):
    """One way to run cells. Making it starts what its documentation says to start; ``timeout`` is for each cell."""

    def __init__(self, timeout: float = 60.0) -> None: ...

    def execute(self, code: str) -> str:
        """Runs a cell, waits for it, and gives all of the text that its caller then has, files included."""

    def close(self) -> None:
        """Ends the kernel."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a contender is.

    Attributes:
        title: Its name in tables.
        module: Its module in this package.
        imports: What a program that uses it imports.
        environment: The folder of its virtual environment, from the root; the one of this process if empty.
    """

    title: str
    module: str
    imports: str
    environment: str = ""


CONTENDERS = {
    "package": Entry("import cellblock", "cellblock_session", "import cellblock"),
    "executor": Entry(
        "cellblock executor", "cellblock_executor", "from cellblock import CodeBlock, JupyterCodeExecutor"
    ),
    "session": Entry("cellblock session", "cellblock_session", "from cellblock import Session"),
    "spawned": Entry("cellblock session, plain spawn", "cellblock_spawned", "from cellblock import Session"),
    "sandboxed": Entry("cellblock session, sandbox", "cellblock_sandboxed", "from cellblock import Sandbox, Session"),
    "sandboxed-spawned": Entry(
        "cellblock session, sandbox, plain spawn",
        "cellblock_sandboxed_spawned",
        "from cellblock import Sandbox, Session",
    ),
    "sandboxed-pooled": Entry(
        "cellblock session, sandbox, from a pool",
        "cellblock_sandboxed_pooled",
        "from cellblock import Sandbox, Session",
    ),
    "pooled": Entry("cellblock session, from a pool", "cellblock_pooled", "from cellblock import Session"),
    "forked-science": Entry(
        "cellblock session, packages preloaded", "cellblock_forked_science", "from cellblock import Session"
    ),
    "pooled-science": Entry(
        "cellblock session, from a pool, packages preloaded",
        "cellblock_pooled_science",
        "from cellblock import Session",
    ),
    "autogen": Entry(
        "AutoGen 0.2.40 embedded",
        "autogen_embedded",
        "from autogen.coding import CodeBlock; from autogen.coding.jupyter import EmbeddedIPythonCodeExecutor",
        ".bench/autogen",
    ),
    "local-server": Entry(
        "cellblock executor, own local server",
        "cellblock_local_server",
        "from cellblock.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer",
    ),
    "unpooled-server": Entry(
        "cellblock executor, own local server that keeps none ready",
        "cellblock_unpooled_server",
        "from cellblock.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer",
    ),
    "gateway": Entry(
        "cellblock executor, stock Kernel Gateway",
        "cellblock_gateway",
        "from cellblock.coding.jupyter import JupyterCodeExecutor, JupyterConnectionInfo",
    ),
    "container": Entry(
        "cellblock executor, server in a container",
        "cellblock_container",
        "from cellblock.coding.jupyter import DockerJupyterServer, JupyterCodeExecutor",
    ),
    "server-start": Entry(
        "cellblock local server", "cellblock_server_start", "from cellblock.coding.jupyter import LocalJupyterServer"
    ),
    "autogen-server": Entry(
        "AutoGen 0.2.40, its own local server",
        "autogen_local_server",
        "from autogen.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer",
        ".bench/autogen",
    ),
    "autogen-server-start": Entry(
        "AutoGen 0.2.40 local server",
        "autogen_server_start",
        "from autogen.coding.jupyter import LocalJupyterServer",
        ".bench/autogen",
    ),
    "nbclient": Entry("nbclient", "nbclient_notebook", "import nbclient, nbformat"),
    "jupyter_client": Entry("jupyter_client", "jupyter_client_stock", "import jupyter_client"),
    "pyzmq": Entry("bare pyzmq, our kernel", "bare_pyzmq", "import zmq"),
}
