"""An IPython extension: makes a kernel at home in its sandbox.

* It says in a sentence that an error comes from the sandbox, and what the sandbox allows. Whoever wrote the code, often a
  model, sees "Resource temporarily unavailable" and cannot know that it is a limit.
* Packages that are installed into the workspace can be imported at once.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
from importlib import machinery
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "CELLBLOCK_SANDBOX"
"""Names what the sandbox allows, as JSON: memory, pids, disk, files, folders and hosts, and where packages go."""


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython."""
    allowed = json.loads(os.environ[VARIABLE])
    expect_packages(allowed["packages"])

    def explain(result: Any) -> None:
        for error in causes(result.error_in_exec):
            hint = sentence(error, allowed)
            if hint:
                sys.stderr.write(hint + "\n")
                return

    shell.events.register("post_run_cell", explain)


def expect_packages(folder: str) -> None:
    """Has imports look into a folder that is not there yet; by itself an interpreter never looks again."""
    loaders = (
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )
    sys.path_importer_cache[folder] = machinery.FileFinder(folder, *loaders)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those it came from."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def sentence(error: BaseException, allowed: dict[str, Any]) -> str:
    """Which limit an exception comes from; empty if from none."""
    number = error.errno if isinstance(error, OSError) else _number_of_sqlite(error)
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return f"Out of memory: the sandbox allows {allowed['memory']} to all that runs in it."
    no_thread = isinstance(error, RuntimeError) and "can't start new thread" in str(error)
    if no_thread or (number == errno.EAGAIN and crowded(allowed["pids"])):
        return f"Too many processes: the sandbox allows {allowed['pids']} processes and threads."
    if isinstance(error, socket.gaierror) or number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        hosts = ", ".join(allowed["hosts"])
        way_out = f"only {hosts}, by http and https through the proxy in HTTPS_PROXY" if hosts else "no network"
        return f"The sandbox reaches {way_out}."
    return _FILES.get(number, "").format(**allowed) if number else ""


def _number_of_sqlite(error: BaseException) -> int | None:
    """What the system told SQLite, which tells it in words of its own."""
    kind = type(error)
    if (kind.__module__, kind.__name__) != ("sqlite3", "OperationalError"):
        return None
    return {"disk I/O error": errno.EFBIG, "database or disk is full": errno.ENOSPC}.get(str(error))


_FILES = {
    errno.EFBIG: "Disk full: the sandbox allows {disk} to be written to its workspace.",
    errno.ENOSPC: "Disk full: outside of its workspace the sandbox keeps files in memory, {folders}.",
    errno.EMFILE: "Too many open files: the sandbox allows {files} to each process.",
    errno.EROFS: "Read-only: in the sandbox only /workspace, /tmp and the home folder can be written to.",
}


def crowded(pids: int) -> bool:
    """Whether more than half as many processes and threads run as may: others have ended with the cell."""
    running = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            running += len(list((process / "task").iterdir()))
    return running > pids // 2
