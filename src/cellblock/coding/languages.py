"""The languages of the command line executors: their names, what runs them, and what is refused."""

from __future__ import annotations

import re
import shutil
import sys

from cellblock.errors import ConfigError

__all__ = ["EXECUTION_POLICY", "interpreter", "language_of", "refuse_dangerous"]

EXECUTION_POLICY = {
    "bash": True,
    "shell": True,
    "sh": True,
    "pwsh": True,
    "powershell": True,
    "ps1": True,
    "python": True,
    "javascript": False,
    "html": False,
    "css": False,
}
"""Which languages are run (True) and which only written to a file, by AutoGen 0.2's default."""

_ALIASES = {"py": "python", "js": "javascript"}
_INTERPRETERS = {"python": "python", "bash": "bash", "sh": "sh", "shell": "sh", "javascript": "node"}
_POWERSHELLS = ("pwsh", "powershell", "ps1")
_DANGEROUS = (
    (re.compile(r"\brm\s+-rf\b"), "Use of 'rm -rf' command is not allowed."),
    (re.compile(r"\bmv\b.*?\s+/dev/null"), "Moving files to /dev/null is not allowed."),
    (re.compile(r"\bdd\b"), "Use of 'dd' command is not allowed."),
    (re.compile(r">\s*/dev/sd[a-z][1-9]?"), "Overwriting disk blocks directly is not allowed."),
    (re.compile(r":\(\)\{\s*:\|\:&\s*\};:"), "Fork bombs are not allowed."),
)


def language_of(name: str) -> str:
    """The language that a block's writer meant.

    Args:
        name: As written, such as "Python" or "py".
    """
    language = _ALIASES.get(name.lower(), name.lower())
    return "ps1" if sys.platform == "win32" and language in ("sh", "shell") else language


def interpreter(language: str, path: str | None = None) -> str:
    """The command that runs a file of a language.

    Args:
        language: One of those in ``EXECUTION_POLICY``.
        path: Where to look for PowerShell, in the form of the PATH variable.

    Raises:
        ConfigError: Nothing runs files of this language.
    """
    if language in _POWERSHELLS:
        return "pwsh" if shutil.which("pwsh", path=path) else "powershell"
    if language not in _INTERPRETERS:
        raise ConfigError(f"There is no command that runs {language}. Set its execution policy to False.")
    return _INTERPRETERS[language]


def refuse_dangerous(language: str, code: str) -> None:
    """Refuses shell code with one of a few commands that destroy. This is a guard against accidents, no sandbox.

    Args:
        language: The block's language; only "bash", "shell" and "sh" are looked at.
        code: Its source.

    Raises:
        ConfigError: One was found; the message names it.
    """
    if language not in ("bash", "shell", "sh"):
        return
    for pattern, message in _DANGEROUS:
        if pattern.search(code):
            raise ConfigError(f"Potentially dangerous command detected: {message}")
