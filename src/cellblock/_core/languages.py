"""Blocks of other languages as cells of an IPython kernel.

The translation is done on this side, so it works on every back end; code travels inside a cell as a Python literal, never
pasted into other code.
"""

from __future__ import annotations

import re

from cellblock._core.pip import quiet_pip
from cellblock.errors import ConfigError

__all__ = ["DISPLAYED", "PYTHON", "SHELLS", "canonical_language", "is_shell_failure", "to_cell"]

PYTHON = frozenset({"", "python", "py", "python3", "ipython", "ipython3"})
SHELLS = {"bash": "bash", "sh": "sh", "shell": "bash", "zsh": "zsh"}
DISPLAYED = {
    "html": "html",
    "javascript": "javascript",
    "js": "javascript",
    "svg": "svg",
    "latex": "latex",
    "tex": "latex",
    "markdown": "markdown",
    "md": "markdown",
}
_IPYTHON_LINE = re.compile(
    r"!(?=\S|[ \t]+(?:python3?[ \t]+-m[ \t]+)?pip3?[ \t]+install\b)|%[A-Za-z]"
)  # "! command" is a shell's own negation
_HEREDOC = re.compile(r"(?<!<)<<(?!<)-?\s*(['\"]?)([A-Za-z_]\w*)\1")


def canonical_language(language: str) -> str:
    """A block's language in lower case, "python" for all of Python's names.

    Args:
        language: As the block's writer wrote it.
    """
    lowered = language.strip().lower()
    return "python" if lowered in PYTHON else lowered


def to_cell(code: str, language: str, kernel_language: str = "python") -> str:
    """The cell that does what a block says.

    Args:
        code: The block's source.
        language: The block's language, as written.
        kernel_language: The language of the kernel that will run the cell.

    Returns:
        The source to send to the kernel.

    Raises:
        ConfigError: The kernel has no way to run that language; the message lists those it has.
    """
    name = language.strip().lower()
    if kernel_language != "python":
        if name in ("", kernel_language):
            return code
        raise ConfigError(
            f"A block of {language} cannot run on a kernel for {kernel_language}; it runs {kernel_language} only."
        )
    if name in PYTHON:
        return quiet_pip(code)
    if name in SHELLS:
        return _shell_cell(code, SHELLS[name])
    if name in DISPLAYED:
        return _magic(DISPLAYED[name], "", code)
    known = ", ".join(sorted({"python", *SHELLS, *DISPLAYED}))
    raise ConfigError(f"Unknown language {language}: a block can be one of {known}.")


def is_shell_failure(code_language: str, error_name: str) -> bool:
    """Whether a block's error is only the exit status of its shell.

    Args:
        code_language: The block's language, as written.
        error_name: The exception's class name.
    """
    return code_language.strip().lower() in SHELLS and error_name == "CalledProcessError"


def _shell_cell(code: str, shell: str) -> str:
    """Runs of shell lines go to a shell, IPython's own lines to IPython, in order."""
    if code.lstrip().startswith("%%"):
        return code  # a cell magic says itself what runs it
    parts: list[str] = []
    script: list[str] = []
    heredoc: str | None = None
    for line in code.splitlines():
        if heredoc is None and _IPYTHON_LINE.match(line):
            parts.extend(_script(script, shell))
            script = []
            parts.append(quiet_pip(line))
            continue
        script.append(line)
        if heredoc is not None:
            heredoc = None if line.strip() == heredoc else heredoc
        elif (opened := _HEREDOC.search(line)) is not None:
            heredoc = opened.group(2)
    return "\n".join((*parts, *_script(script, shell)))


def _script(lines: list[str], shell: str) -> list[str]:
    return [_magic("script", shell, "\n".join(lines) + "\n")] if any(line.strip() for line in lines) else []


def _magic(name: str, argument: str, body: str) -> str:
    return f"get_ipython().run_cell_magic({name!r}, {argument!r}, {body!r})"
