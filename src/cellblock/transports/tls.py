"""What a TLS connection to a Jupyter server trusts."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from cellblock._core.connection_info import JupyterConnectionInfo

__all__ = ["ssl_context"]


def ssl_context(info: JupyterConnectionInfo) -> ssl.SSLContext | None:
    """The context for connections to a server; None for a server without https.

    Raises:
        ConfigError: The file with the authorities cannot be used.
    """
    import httpx2

    if not info.use_https:
        return None
    if not info.verify:
        return httpx2.create_ssl_context(verify=False)
    if info.ca_file is None:
        return httpx2.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=info.ca_file)
    except OSError as error:  # ssl.SSLError is one
        wanted = "ca_file must be a PEM file with certificates"
        raise ConfigError(f"{wanted}; {info.ca_file} cannot be used: {error}.") from error
