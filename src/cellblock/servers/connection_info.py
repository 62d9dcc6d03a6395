"""What an executor accepts as a Jupyter server."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from cellblock._core.connection_info import JupyterConnectionInfo

__all__ = ["JupyterConnectable", "JupyterConnectionInfo"]


@runtime_checkable
class JupyterConnectable(Protocol):
    """A Jupyter server that can say where it is.

    Check an implementation with ``cellblock.testing.ServerContract``.
    """

    @property
    def connection_info(self) -> JupyterConnectionInfo:
        """Where the server is."""
