"""Runs the fork server of sandboxed kernels, which is outside of all sandboxes: see ``cellblock_fork_server`` and ``forked``.

What it has, every kernel gets. So its owner starts it with an environment that holds nothing of the caller's. And as it is not
confined, it must not import what sandboxed code may have written: only the interpreter's own folders are searched, which no
sandbox can write to (``search_path``). ``sitecustomize``, which an interpreter would look for everywhere before this program
begins, it finds here, for the owner names this folder in PYTHONPATH.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from search_path import leave_out_others

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = sys.path[0]


@contextlib.contextmanager
def own_home() -> Iterator[None]:
    """A home for what packages write there when they are imported, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="cellblock-") as folder:
        os.environ["HOME"] = folder
        yield


def main() -> None:
    """Runs the server, and in its children the kernels."""
    leave_out_others()
    sys.path.insert(0, os.path.dirname(_HERE))  # noqa: PTH120 - pathlib is not imported yet
    import cellblock_fork_server

    cellblock_fork_server.main("forked", own_home)


if __name__ == "__main__":
    main()
