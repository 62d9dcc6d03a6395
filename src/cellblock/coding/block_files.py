"""Blocks as files of a work directory: their names, and what is changed in them before they are written."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from cellblock._core.budget import DEFAULT_BUDGET, apply_budget
from cellblock._core.terminal import screen_text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "SHELLS",
    "BlockFileError",
    "NotInWorkspaceError",
    "file_name_in_code",
    "readable_output",
    "silence_pip",
    "write_block",
]

SHELLS = ("bash", "shell", "sh", "pwsh", "powershell", "ps1")

_COMMENTS = tuple(re.compile(pattern) for pattern in (r"<!-- (.+?) -->", r"/\* (.+?) \*/", r"// (.+)", r"# (.+)"))
_SINGLE_WORD_NAME = re.compile(r"\S+\.\w+|/\S+|\.\.\S*")
_SHOWN_NAME = 80  # characters of a file's name in a message
_PIP_INSTALL = {"python": re.compile(r"^! ?pip install", re.MULTILINE)} | dict.fromkeys(
    SHELLS, re.compile(r"^pip install", re.MULTILINE)
)


class BlockFileError(ValueError):
    """A block cannot become the file it asks for; the message says why."""


class NotInWorkspaceError(BlockFileError):
    """A block asks for a file outside of its work directory."""


def write_block(code: str, language: str, work_dir: Path) -> Path:
    """Writes a block to the file it names in its first line, or else to one named by the code's MD5 sum.

    Args:
        code: The block's source.
        language: Its language, which is a nameless block's file extension ("py" for Python).
        work_dir: The directory the file must be in.

    Returns:
        The absolute path of the file.

    Raises:
        BlockFileError: The code cannot be written, or not to the file it names.
        OSError: A file of a name of ours could not be written.
    """
    try:
        code.encode()
    except UnicodeEncodeError as error:
        raise BlockFileError(
            f"The block cannot be written: its character {error.start + 1} is half of a surrogate pair. Remove it."
        ) from None
    name = file_name_in_code(code, work_dir)
    if name is None:
        path = work_dir.resolve() / f"tmp_code_{_digest(code)}.{'py' if language == 'python' else language}"
        _write(path, code)
        return path
    path = work_dir.resolve() / name
    try:
        _write(path, code)
    except OSError as error:
        raise _unwritable(name, error) from error
    return path


def _write(path: Path, code: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, encoding="utf-8")


def _unwritable(name: str, error: OSError) -> BlockFileError:
    shown = name if len(name) <= _SHOWN_NAME else f"{name[:_SHOWN_NAME]}…"
    return BlockFileError(
        f"The block cannot be written to the file it names, {shown} ({error.strerror or error}). Give it another name."
    )


def file_name_in_code(code: str, work_dir: Path) -> str | None:
    """The file that the first line of a block names, relative to the work directory, or None if it names none.

    A comment ``filename: x`` names x. A comment that is a single word with an extension, such as ``# plot.py``, names
    that word; other comments name nothing.

    Args:
        code: The block's source.
        work_dir: What a relative name is relative to.

    Raises:
        NotInWorkspaceError: The file would be outside of ``work_dir``.
        BlockFileError: The system has no file of that name.
    """
    first_line = code.split("\n", 1)[0].strip()
    comment = next((match[1].strip() for pattern in _COMMENTS if (match := pattern.match(first_line))), "")
    name = comment.removeprefix("filename:").strip()
    if not name or (name == comment and not _SINGLE_WORD_NAME.fullmatch(name)):
        return None
    root = work_dir.resolve()
    try:
        path = (root / name).resolve()  # resolving follows symbolic links, which may lead out as well
    except OSError as error:
        raise _unwritable(name, error) from error
    except (ValueError, RuntimeError):  # a NUL; links in a circle
        raise NotInWorkspaceError("Filename is not in the workspace") from None
    if path == root or not path.is_relative_to(root):
        raise NotInWorkspaceError("Filename is not in the workspace")
    return str(path.relative_to(root))


def silence_pip(code: str, language: str) -> str:
    """The code with ``-qqq`` added to lines that start ``pip install`` (in Python: ``!pip install``).

    Args:
        code: The block's source.
        language: Its language.
    """
    install = _PIP_INSTALL.get(language)
    if install is None:
        return code
    return "\n".join(line if "-qqq" in line else install.sub(r"\g<0> -qqq", line) for line in code.split("\n"))


def readable_output(text: str, work_dir: Path, budget: int = DEFAULT_BUDGET) -> str:
    """What blocks printed, as text for a model: as a terminal would show it, and no longer than the budget.

    Args:
        text: What they printed.
        work_dir: Where the whole is kept, in a file, if it is cut.
        budget: How many characters are left.
    """
    text = screen_text(text)
    if len(text) <= budget:
        return text
    whole = work_dir.resolve() / f"tmp_output_{_digest(text)}.txt"
    whole.write_text(text, encoding="utf-8")
    return apply_budget(text, budget, str(whole))


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
