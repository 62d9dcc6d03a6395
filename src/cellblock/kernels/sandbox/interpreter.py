"""What of the host's files a Python interpreter needs to run."""

from __future__ import annotations

import functools
import inspect
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellblock.errors import SandboxUnavailable

__all__ = ["Interpreter", "examine"]

_SYSTEM = Path("/usr")  # a sandbox has it anyway

_ANSWERS_WITHIN = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python interpreter's place in the host's files.

    Attributes:
        executable: Its path.
        prefix: The folder of its environment.
        folders: The folders it needs, each at its own path, none within another or in the system's.
        links: Symbolic links on the way to the executable that are in none of them, with what they point to.
        user_site: The caller's own folder of packages, if the interpreter uses it; one of the folders.
    """

    executable: str
    prefix: Path
    folders: tuple[Path, ...]
    links: tuple[tuple[Path, str], ...]
    user_site: Path | None


@functools.cache
def examine(executable: str) -> Interpreter:
    """Finds out what an interpreter needs, by asking it once.

    Args:
        executable: Its path.

    Raises:
        SandboxUnavailable: It does not run, or its folder holds more than an interpreter.
    """
    answer = _ask(executable)
    prefixes = [Path(prefix) for prefix in answer["prefixes"]]
    real = Path(executable).resolve()
    user_site = Path(answer["user_site"]) if answer["user_site"] and Path(answer["user_site"]).is_dir() else None
    needed = [*prefixes, *(prefix.resolve() for prefix in prefixes), real.parent.parent]
    for folder in needed:
        _check(folder, executable)
    folders = _outermost([*needed, *([user_site] if user_site else [])])
    return Interpreter(executable, prefixes[0], folders, _links(Path(executable), folders), user_site)


def _places() -> dict[str, Any]:
    """Where the running interpreter's files are. Also run by others, so it names all it uses."""
    import site
    import sys

    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    return {"prefixes": prefixes, "user_site": site.getusersitepackages() if site.ENABLE_USER_SITE else None}


def _ask(executable: str) -> dict[str, Any]:
    if executable == sys.executable:
        return _places()
    question = f"from typing import Any\nimport json\n{inspect.getsource(_places)}\nprint(json.dumps(_places()))"
    try:
        # In a folder where nobody can have put a json.py.
        asked = subprocess.run(
            [executable, "-c", question],
            cwd="/",
            capture_output=True,
            timeout=_ANSWERS_WITHIN,
            check=True,
            text=True,
        )
        answer: dict[str, Any] = json.loads(asked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise SandboxUnavailable(
            f"A sandboxed kernel was wanted, but its interpreter {executable} did not say where its files are: {error}."
        ) from None
    return answer


def _check(folder: Path, executable: str) -> None:
    """An interpreter's folder becomes readable in the sandbox, so it must not hold what else is somebody's."""
    if folder == _SYSTEM or _SYSTEM in folder.parents:
        return
    if folder in (Path("/"), Path.home(), *Path.home().parents) or not (
        any((folder / "lib").glob("python*")) or (folder / "pyvenv.cfg").exists()
    ):
        raise SandboxUnavailable(
            f"A sandboxed kernel was wanted, but its interpreter {executable} is not installed in a folder of its own "
            f"({folder}), which the sandbox could show it. Use an interpreter of a virtual environment."
        )


def _outermost(folders: list[Path]) -> tuple[Path, ...]:
    """Each folder once, without those in another and in the system's."""
    kept: list[Path] = []
    for folder in sorted(set(folders)):
        if not any(outer == folder or outer in folder.parents for outer in (_SYSTEM, *kept)):
            kept.append(folder)
    return tuple(kept)


def _links(path: Path, folders: tuple[Path, ...]) -> tuple[tuple[Path, str], ...]:
    found = []
    while path.is_symlink():
        target = str(path.readlink())
        if not any(folder in path.parents for folder in (_SYSTEM, *folders)):
            found.append((path, target))
        path = Path(os.path.normpath(path.parent / target))
    return tuple(found)
