"""What in a workspace must stay as it is: the host will run it, or it was named to be read only."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellblock.kernels.sandbox.interpreter import Interpreter

__all__ = ["check", "places", "run_by_the_host", "ways"]

_PACKAGE = Path(__file__).parents[2]  # this program's own
_MOST_LINKS = 40  # as many as Linux follows


def run_by_the_host(interpreter: Interpreter) -> tuple[Path, ...]:
    """The folders of what the host runs to start sandboxes: whoever writes there is not confined any more.

    Args:
        interpreter: The kernel's.
    """
    prefixes = (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)
    return tuple(dict.fromkeys((*interpreter.folders, *map(Path, prefixes), _PACKAGE)))


def check(interpreter: Interpreter, workspace: Path) -> None:
    """Looks whether what the host runs can be protected from code that changes a workspace.

    Args:
        interpreter: The kernel's.
        workspace: Its real path.

    Raises:
        ConfigError: It cannot.
    """
    run = run_by_the_host(interpreter)
    for folder in {folder.resolve() for folder in run}:
        if workspace == folder or folder in workspace.parents:
            raise ConfigError(
                f"The sandbox's workspace cannot be {workspace}: it is a part of {folder}, from which this process runs "
                "programs. Give a directory of the project."
            )
    safe = places(workspace, run)
    for path in (*run, Path(sys.executable), Path(interpreter.executable)):
        for link in _links(path):
            if workspace in link.parents and not any(folder in link.parents for folder in safe):
                raise ConfigError(
                    f"The sandbox's workspace cannot be {workspace}: {link} in it is a symbolic link that leads to what this "
                    "process runs, and the code could make it lead elsewhere. Put the folder itself there, or give another "
                    "workspace."
                )


def places(workspace: Path, protected: Iterable[Path]) -> list[Path]:
    """Where in a workspace the protected things are, none within another.

    Args:
        workspace: Its real path.
        protected: Paths, of which those outside of the workspace are left out.
    """
    found: list[Path] = []
    for path in sorted({path.resolve() for path in protected}):
        if workspace in path.parents and not any(outer in path.parents for outer in found):
            found.append(path)
    return found


def ways(workspace: Path, found: Iterable[Path]) -> list[Path]:
    """The folders between a workspace and places in it, outer ones first.

    Where nothing is mounted on them, code could rename one and with it what is below, and put something else there.

    Args:
        workspace: Its real path.
        found: What ``places`` gave.
    """
    return sorted({parent for path in found for parent in path.parents if workspace in parent.parents})


def _links(path: Path) -> Iterator[Path]:
    """Each symbolic link that is followed on the way to a path, by its own real path."""
    place, steps, links = Path("/"), list(reversed(path.absolute().parts[1:])), 0
    while steps:
        step = steps.pop()
        found = place.parent if step == ".." else place / step
        if not found.is_symlink():
            place = found
            continue
        yield found
        links += 1
        if links == _MOST_LINKS:
            return
        target = found.readlink()
        place = Path("/") if target.is_absolute() else place
        steps += reversed([part for part in target.parts if part != "/"])
