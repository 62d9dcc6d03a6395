"""What a local Jupyter server is told of the sandbox of its kernels."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellblock.errors import ConfigError
from cellblock.kernels.sandbox.find_bubblewrap import find_bubblewrap
from cellblock.kernels.sandbox.interpreter import examine
from cellblock.kernels.sandbox.kinds import checked_sandbox
from cellblock.kernels.sandbox.preflight import check_once

if TYPE_CHECKING:
    from cellblock.kernels.sandbox.options import Sandbox

__all__ = ["sandbox_settings"]


def sandbox_settings(sandbox: Sandbox) -> dict[str, Any]:
    """The arguments of a sandbox, for another process; that there can be one here is tried first.

    Args:
        sandbox: As the caller gave it.

    Raises:
        ConfigError: It is no sandbox, or has what cannot be told to another process.
        SandboxUnavailable: There can be no sandbox here.
    """
    if checked_sandbox(sandbox).on_request is not None:
        raise ConfigError("A server's sandbox takes no on_request: the server's log has what its kernels asked for.")
    find_bubblewrap()
    check_once(examine(sys.executable), as_root=os.getuid() == 0)
    for shown in sandbox.shown:  # which the server will look up for itself
        shown.check(None if sandbox.workspace is None else Path(sandbox.workspace).resolve())
    return {
        "workspace": None if sandbox.workspace is None else str(Path(sandbox.workspace).resolve()),
        "read_only": [str(shown.path) for shown in sandbox.shown],
        "allow_hosts": list(sandbox.allow_hosts),
        "memory": sandbox.memory,
        "cpus": sandbox.cpus,
        "pids": sandbox.pids,
        "disk": sandbox.disk,
        "env": dict(sandbox.env),
    }
