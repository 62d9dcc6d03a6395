"""Executors that run blocks as cells of a Jupyter kernel, and the servers they can run on.

The names are those of AutoGen 0.2's ``autogen.coding.jupyter``. Each loads on first use: an executor without a server needs
nothing of what a server needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellblock.coding.jupyter.embedded import EmbeddedIPythonCodeExecutor
    from cellblock.coding.jupyter.executor import JupyterCodeExecutor
    from cellblock.servers.connection_info import JupyterConnectable, JupyterConnectionInfo
    from cellblock.servers.docker import DockerJupyterServer
    from cellblock.servers.local import LocalJupyterServer
    from cellblock.transports.rest import JupyterClient

__all__ = [
    "DockerJupyterServer",
    "EmbeddedIPythonCodeExecutor",
    "JupyterClient",
    "JupyterCodeExecutor",
    "JupyterConnectable",
    "JupyterConnectionInfo",
    "LocalJupyterServer",
]

_HOMES = {
    "DockerJupyterServer": "cellblock.servers.docker",
    "EmbeddedIPythonCodeExecutor": "cellblock.coding.jupyter.embedded",
    "JupyterClient": "cellblock.transports.rest",
    "JupyterCodeExecutor": "cellblock.coding.jupyter.executor",
    "JupyterConnectable": "cellblock.servers.connection_info",
    "JupyterConnectionInfo": "cellblock.servers.connection_info",
    "LocalJupyterServer": "cellblock.servers.local",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
