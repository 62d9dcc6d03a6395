"""Making `pip install` lines of a cell quiet, without touching text that only looks like one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["quiet_pip"]

_PIP_LINE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<call>[!%][ \t]*(?:python3?[ \t]+-m[ \t]+)?pip3?)[ \t]+install\b(?P<rest>.*)$", re.MULTILINE
)
_QUIET = re.compile(r"(?:^|\s)(?:-q+|--quiet|-v+|--verbose|--dry-run|--report)(?:\s|=|$)")
_FLAGS = "-qq --disable-pip-version-check"
_KERNELS_PIP = "!\"{__import__('sys').executable}\" -m pip"
_COMMAND = re.compile(r"[ \t]*[!%?](?:\\\n|[^\n])*")
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""|\Z)|\'\'\'(?:\\.|[^\\])*?(?:\'\'\'|\Z)'  # strings of several lines
    r'|"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?'  # and of one
    r"|#[^\n]*|\\\n|[()\[\]{}\n]",
    re.DOTALL,
)


def quiet_pip(code: str) -> str:
    """The code with its ``!pip install`` and ``%pip install`` lines told to print errors only.

    ``-qq`` leaves what pip calls errors, so a failure is still said. ``%pip`` becomes the command it stands for, because
    the magic itself adds a note that no flag turns off. Lines inside strings stay as they are, and so do lines whose
    writer chose how much they say.

    Args:
        code: The source of a cell.
    """
    if "pip" not in code or "install" not in code:
        return code
    if code.lstrip().startswith("%%"):
        return code  # the body of a cell magic is not Python, and its meaning is the magic's
    commands: set[int] | None = None

    def quiet(line: re.Match[str]) -> str:
        nonlocal commands
        commands = set(_command_starts(code)) if commands is None else commands
        if line.start() not in commands or _QUIET.search(line["rest"]):
            return line[0]
        call = _KERNELS_PIP if line["call"].startswith("%") else line["call"]
        return f"{line['indent']}{call} install {_FLAGS}{line['rest']}"

    return _PIP_LINE.sub(quiet, code)


def _command_starts(code: str) -> Iterator[int]:
    """Where the lines begin that are IPython's own: not inside a string or brackets, not a continued statement."""
    position, depth, new_line = 0, 0, True
    while position < len(code):
        if new_line and depth == 0 and (command := _COMMAND.match(code, position)):
            yield position
            position = command.end()
        token = _TOKEN.search(code, position)
        if token is None:
            return
        position = token.end()
        new_line = token[0] == "\n"
        depth = max(0, depth + (token[0] in ("(", "[", "{")) - (token[0] in (")", "]", "}")))
