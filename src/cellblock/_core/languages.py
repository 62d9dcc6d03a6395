"""The languages that a block can be written in, by all of their names."""

from __future__ import annotations

__all__ = ["DISPLAYED", "PYTHON", "SHELLS", "canonical_language"]

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


def canonical_language(language: str) -> str:
    """A block's language in lower case, "python" for all of Python's names.

    Args:
        language: As the block's writer wrote it.
    """
    lowered = language.strip().lower()
    return "python" if lowered in PYTHON else lowered
