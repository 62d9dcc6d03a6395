"""``autogen.coding.jupyter.jupyter_client``: the clients of a Jupyter server and of one of its kernels."""

from __future__ import annotations

from cellblock.transports.kernel_client import DataItem, ExecutionResult, JupyterKernelClient
from cellblock.transports.rest import JupyterClient

__all__ = ["DataItem", "ExecutionResult", "JupyterClient", "JupyterKernelClient"]
