"""Blocks of each language as cells: as a kernel gets them, and as a notebook shows them.

The translation is done on this side, so it works on every back end; code travels inside a cell as a Python literal, never
pasted into other code.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cellblock._core.languages import DISPLAYED, PYTHON, SHELLS
from cellblock._core.pip import quiet_pip, quiet_pip_in_script
from cellblock._core.shell_lines import split_block
from cellblock.errors import ConfigError

__all__ = ["notebook_source", "to_cell"]

_ANY_SHELL = frozenset({"sh", "shell"})  # what is written for these, every shell runs


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
    name = _checked(language, kernel_language)
    if kernel_language != "python":
        return quiet_pip_in_script(code) if kernel_language in SHELLS else code
    if name in PYTHON or _has_own_magic(code):
        return quiet_pip(code)
    if name in DISPLAYED:
        return _magic(DISPLAYED[name], "", code)
    parts = split_block(_with_plain_line_ends(code))
    return "\n".join(quiet_pip(part.text) if part.ipython else _shell_call(SHELLS[name], part.text) for part in parts)


def notebook_source(code: str, language: str, kernel_language: str = "python") -> str:
    """The block as its author would write it in a notebook of that kernel: with a magic if it is of another language.

    Args:
        code: The block's source.
        language: The block's language, as written.
        kernel_language: The language of the notebook's kernel.

    Raises:
        ConfigError: As of ``to_cell``.
    """
    name = _checked(language, kernel_language)
    if kernel_language != "python" or name in PYTHON or _has_own_magic(code):
        return code
    if name in DISPLAYED:
        return f"%%{DISPLAYED[name]}\n{code}"
    magic, argument = ("script", "zsh") if SHELLS[name] == "zsh" else (SHELLS[name], "")
    parts = list(split_block(_with_plain_line_ends(code)))
    if any(part.ipython for part in parts):
        return "\n".join(part.text if part.ipython else _magic(magic, argument, part.text + "\n") for part in parts)
    return f"%%{magic} {argument}".rstrip() + f"\n{code}" if parts else code


def _checked(language: str, kernel_language: str) -> str:
    """The language's name in lower case, if a kernel can run it."""
    name = language.strip().lower()
    if kernel_language != "python":
        if name in ("", kernel_language) or (kernel_language in SHELLS and name in _ANY_SHELL):
            return name
        raise ConfigError(
            f"A block of {language} cannot run on a kernel for {kernel_language}; it runs {kernel_language} only."
        )
    if name in PYTHON or name in SHELLS or name in DISPLAYED:
        return name
    known = ", ".join(sorted({"python", *SHELLS, *DISPLAYED}))
    raise ConfigError(f"Unknown language {language}: a block can be one of {known}.")


def _has_own_magic(code: str) -> bool:
    """Whether a block is a cell magic, which says itself what runs it."""
    return code.lstrip().startswith("%%")


def _with_plain_line_ends(code: str) -> str:
    return code.replace("\r\n", "\n")  # a shell would take the \r for a part of the last word


def _shell_call(shell: str, script: str) -> str:
    """One expression that leaves no name behind."""
    call = f"exec({_program()!r}, space), space['run_script'](*{(shell, quiet_pip_in_script(script))!r})"
    return f"(lambda space: ({call})[1])({{}})"


@cache
def _program() -> str:
    return Path(__file__).with_name("shell_cell.py").read_text(encoding="utf-8")


def _magic(name: str, argument: str, body: str) -> str:
    return f"get_ipython().run_cell_magic({name!r}, {argument!r}, {body!r})"
