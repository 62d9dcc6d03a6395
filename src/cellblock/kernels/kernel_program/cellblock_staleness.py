"""Noticing that what a process has imported is no longer what is installed."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


class Imported:
    """What this process has imported, as it was on disk when this object was made.

    Installing, upgrading or removing a package changes the folder it is installed in; looking at each of its files would add a
    millisecond or more to every fork. Files of modules elsewhere (a project being worked on) are looked at one by one.
    """

    def __init__(self) -> None:
        folders = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
        library = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *folders)
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        elsewhere = {file for file in files if file and not file.startswith(library)}
        self._seen = {path: _modified(path) for path in (*folders, *elsewhere)}

    def changed(self) -> str | None:
        """A path that is not as it was, if there is one."""
        return next((path for path, modified in self._seen.items() if _modified(path) != modified), None)


def _modified(path: str) -> int | None:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return None
