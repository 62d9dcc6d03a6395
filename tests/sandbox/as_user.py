"""Running a program as an ordinary user when the tests run as root.

The interpreter may be in a folder that only root may enter (/root). So the program gets its own view of the files, in which
such folders hold nothing but what it needs, and everybody may enter them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_USER = 64999
_PROJECT = Path(__file__).parents[2]

_SHOW = """
set -e
closed=$1; staging=$2; shift 2
for tree in $TREES; do
  case $tree in $closed/*) mkdir -p "$staging$tree"; mount --bind "$tree" "$staging$tree";; esac
done
mount -t tmpfs -o mode=755 none "$closed"
for tree in $TREES; do
  case $tree in $closed/*) mkdir -p "$tree"; mount --move "$staging$tree" "$tree";; esac
done
exec "$@"
"""


@contextlib.contextmanager
def ordinary_user() -> Iterator[list[str]]:
    """The start of a command that runs the rest as an ordinary user, in a home of its own."""
    place = Path(tempfile.mkdtemp(prefix="user-", dir="/var/tmp"))
    place.chmod(0o755)
    home, temporary = place / "home", place / "tmp"
    for folder in (home, temporary):
        folder.mkdir(mode=0o700)
    (home / ".profile").write_text("# mine\n")
    try:
        if os.getuid() != 0:
            yield _environment(home, temporary)
            return
        for path in (home, temporary, home / ".profile"):
            os.chown(path, _USER, _USER)
        with tempfile.TemporaryDirectory(prefix="staging-", dir="/var/tmp") as staging:
            yield [*_view(staging), *_rights(), *_environment(home, temporary)]
    finally:
        shutil.rmtree(place)


def _view(staging: str) -> list[str]:
    trees = sorted({sys.prefix, sys.base_prefix, str(_PROJECT)})
    command = ["env", f"TREES={' '.join(trees)}", "unshare", "--mount", "--propagation", "private"]
    for closed in sorted({found for tree in trees if (found := _closed(Path(tree)))}):
        command += ["sh", "-c", _SHOW, "sh", closed, staging]
    return command


def _closed(tree: Path) -> str | None:
    """The topmost folder on the way to a tree that others may not enter."""
    return next((str(folder) for folder in reversed(tree.parents) if not folder.stat().st_mode & 0o001), None)


def _rights() -> list[str]:
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]


def _environment(home: Path, temporary: Path) -> list[str]:
    return ["env", f"HOME={home}", f"TMPDIR={temporary}", "PYTHONDONTWRITEBYTECODE=1", f"PYTHONPATH={_PROJECT}/src"]


def run_as_user(*argv: str, timeout: float) -> str:
    """What a Python program printed that an ordinary user ran."""
    with ordinary_user() as command:
        ran = subprocess.run(
            [*command, sys.executable, *argv], capture_output=True, text=True, timeout=timeout, check=False, cwd="/"
        )
    assert ran.returncode in (0, 1), ran.stderr
    return ran.stdout
