"""The Jupyter server that a command's URL names, with what the environment says of it."""

from __future__ import annotations

import os

from cellblock._core.connection_info import JupyterConnectionInfo

__all__ = ["HOW_TO_BE_LET_IN", "connection_of"]

HOW_TO_BE_LET_IN = (
    "Put it into the environment, as JUPYTER_TOKEN, or into the URL, as in http://127.0.0.1:8888/?token=…, where other users of "
    "this machine may see it."
)


def connection_of(url: str) -> JupyterConnectionInfo:
    """Where the server is. A token that the URL does not hold is taken from JUPYTER_TOKEN: others can read a command line.

    Args:
        url: As Jupyter prints it.

    Raises:
        ConfigError: It is no URL of a server.
    """
    info = JupyterConnectionInfo.from_url(url)
    return info if info.token else JupyterConnectionInfo.from_url(url, token=os.environ.get("JUPYTER_TOKEN", ""))
