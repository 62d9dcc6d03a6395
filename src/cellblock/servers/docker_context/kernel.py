"""The program of a kernel in a container with an old Python: ipykernel, with nothing on the way that drops its output."""

# ruff: noqa: INP001  a program, run by path
from __future__ import annotations

import sys
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config


class KernelApp(IPKernelApp):  # type: ignore[misc]
    """IPKernelApp without high-water marks: at the default of 1000 messages ZMQ drops output silently."""

    def _bind_socket(self, s: Any, port: int) -> int:
        s.hwm = 0  # before it is bound: a connection keeps the mark its socket had then
        return int(super()._bind_socket(s, port))


if __name__ == "__main__":
    sys.path[0] = ""  # cells import from their working directory, not from this file's
    settings = Config()
    settings.HistoryManager.enabled = False  # a write to disk for each cell, which nobody reads
    KernelApp.launch_instance(config=settings)
