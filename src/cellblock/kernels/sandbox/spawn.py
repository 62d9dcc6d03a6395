"""Starting a sandboxed kernel in an interpreter of its own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from cellblock.kernels.launch import filled_pipe
from cellblock.kernels.sandbox import layout
from cellblock.kernels.sandbox.bubblewrap import command
from cellblock.kernels.sandbox.descriptors import Descriptors
from cellblock.kernels.sandbox.spawned_process import SpawnedProcess

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from cellblock.kernels.handover import Handover
    from cellblock.kernels.sandbox.request import Request

__all__ = ["HINTS", "spawn"]

HINTS = "cellblock_sandbox_hints"
"""An IPython extension beside the kernel program, which every sandboxed kernel loads."""

_READ_AT_START = ("PYTHON", "LD_", "GLIBC_", "MALLOC_")  # by an interpreter or the C library


async def spawn(
    request: Request, given: Handover, on_listener: Callable[[socket.socket], Callable[[], None]]
) -> SpawnedProcess:
    """A process whose sandbox is closed and whose kernel is about to start in it.

    Args:
        request: What to start.
        given: Its sockets, key, log and memory; the last two are the process's from now on.
        on_listener: See ``SpawnedProcess``.

    Raises:
        SandboxUnavailable: The confinement cannot be had here.
    """
    interpreter = [request.plan.interpreter.executable, "-Xfrozen_modules=off"]
    anew = any(name.startswith(_READ_AT_START) and name != "PYTHONPATH" for name in request.asked_env)
    with Descriptors() as passed:
        bubblewrap = command(request.plan, passed)
        passed.lend(given.descriptors)
        # The kernel's lifeline is held by the first process: what ends that, ends it.
        lifeline, _held = map(passed.own, os.pipe())
        kernel = passed.own(
            filled_pipe(
                json.dumps(
                    {**given.config, "lifeline": lifeline, "extensions": [HINTS], "path": request.confinement["path"]}
                ).encode()
            )
        )
        process = SpawnedProcess(
            bubblewrap,
            [*interpreter, f"{layout.PROGRAM}/sandbox"],
            passed,
            log=given.log,
            memory=given.memory,
            limiter=request.limiter,
            on_listener=on_listener,
        )
    try:
        await process.begun()
        process.configure(
            {
                **request.confinement,
                "proxy": layout.PROXY_PORT,
                "env": {name: value for name, value in request.environment.items() if name != "PYTHONPATH"},
                "cwd": request.cwd,
                "execute": [*interpreter, layout.PROGRAM, str(kernel)] if anew else None,
                "config": kernel,
                "descriptors": [*given.descriptors, lifeline, kernel],
            }
        )
        await process.confined()
    except BaseException:
        await process.gone(0)
        raise
    return process
