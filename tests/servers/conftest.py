"""The servers these tests talk to."""

from servers.stock import any_server, jupyter_server, kernel_gateway

__all__ = ["any_server", "jupyter_server", "kernel_gateway"]
