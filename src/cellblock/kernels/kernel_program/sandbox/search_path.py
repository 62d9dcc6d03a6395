"""Where modules are looked for: by the fork server of sandboxes less than by the kernels it forks.

Code of packages that are being worked on, whose folders ``.pth`` files name, could be a sandbox's workspace; a process that is
not confined must not import it. A kernel may, as far as its sandbox shows it.
"""

from __future__ import annotations

import os
import sys

_left_out: list[str] = []


def leave_out_others() -> None:
    """Leaves the folders that are the interpreter's and those that the owner has named."""
    _left_out[:] = [path for path in sys.path if not _is_trusted(path)]
    sys.path[:] = [path for path in sys.path if _is_trusted(path)]


def take_back() -> None:
    """Adds what was left out and is there: in a sandbox what an interpreter that starts in it would find."""
    sys.path += filter(os.path.isdir, _left_out)


def _is_trusted(path: str) -> bool:
    folders = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, "/usr"}
    named = os.environ["PYTHONPATH"].split(":")
    return path in named or any(path.startswith(f"{folder}/") for folder in (*folders, *map(os.path.realpath, folders)))
