"""Making `pip install` lines of a block quiet, without touching text that only looks like one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cellblock._core.shell_lines import command_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAGIC", "quiet_pip", "quiet_pip_in_script"]

MAGIC = "%pip install"
"""What the error of a ``%pip`` line that failed calls its command."""

_PIP = r"(?:python3?[ \t]+-m[ \t]+)?pip3?"
_PIP_LINE = re.compile(
    rf"^(?P<indent>[ \t]*)(?P<call>[!%][ \t]*{_PIP})[ \t]+install\b(?P<rest>(?:\\\n|[^\n])*)$", re.MULTILINE
)
_PIP_IN_SCRIPT = re.compile(rf"(?P<call>[ \t]*{_PIP}[ \t]+install\b)(?P<rest>(?:\\\n|[^\n])*)")
_CHOSEN = re.compile(r"(?:^|\s)(?:-q+|--quiet|-v+|--verbose|--dry-run|--report)(?:\s|=|$)")
_FLAGS = " -qq --disable-pip-version-check"
_COMMAND = re.compile(r"[ \t]*[!%?](?:\\\n|[^\n])*")
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""|\Z)|\'\'\'(?:\\.|[^\\])*?(?:\'\'\'|\Z)'  # strings of several lines
    r'|"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?'  # and of one
    r"|#[^\n]*|\\\n|[()\[\]{}\n]",
    re.DOTALL,
)


def quiet_pip(code: str) -> str:
    """The code with its ``!pip install`` and ``%pip install`` lines told to print errors only.

    ``-qq`` leaves what pip calls errors, so a failure is still said. ``%pip`` becomes the call that it is, because the
    magic itself adds a note that no flag turns off, and takes no notice of how pip ended. Lines inside strings stay as
    they are, and of lines whose writer chose how much they say, the flags.

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
        if line.start() not in commands:
            return line[0]
        arguments = _flags(line["rest"]) + line["rest"]
        if line["call"].startswith("%"):
            return line["indent"] + _magics_call(arguments.replace("\\\n", " ").rstrip())
        return f"{line['indent']}{line['call']} install{arguments}"

    return _PIP_LINE.sub(quiet, code)


def quiet_pip_in_script(script: str) -> str:
    """A shell's script with its ``pip install`` lines told to print errors only.

    Args:
        script: The source, without lines of IPython's.
    """
    if "pip" not in script or "install" not in script:
        return script
    pieces, at = [], 0
    for start in command_lines(script):
        if line := _PIP_IN_SCRIPT.match(script, start):
            pieces += [script[at : line.end("call")], _flags(line["rest"])]
            at = line.end("call")
    return "".join((*pieces, script[at:]))


def _flags(rest: str) -> str:
    return "" if _CHOSEN.search(rest) else _FLAGS


def _magics_call(arguments: str) -> str:
    """What ``%pip install`` does: the interpreter's name is no part of what IPython looks for variables in."""
    command = f"'\"' + __import__('sys').executable + '\"' + {' -m pip install' + arguments!r}"
    told = f"__import__('subprocess').CompletedProcess({MAGIC!r}, _exit_code).check_returncode()"
    return f"get_ipython().system({command}) or {told}"


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
