"""The cell that makes user-defined functions importable in a fresh kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellblock.coding.func_with_reqs import UserFunction

__all__ = ["startup_code"]


def startup_code(functions: Sequence[UserFunction], module: str) -> str:
    """A cell that installs what the functions need and puts them into a module of that name.

    Args:
        functions: Functions of any of the three kinds.
        module: The module's name.

    Raises:
        ConfigError: The name is no identifier, or the source of a function cannot be read.
    """
    from cellblock.coding.func_with_reqs import functions_module_source, required_packages

    if not module.isidentifier():
        raise ConfigError("Module name must be a valid Python identifier")
    define = Path(__file__).with_name("functions_cell.py").read_text(encoding="utf-8")
    arguments = (module, functions_module_source(functions), required_packages(functions))
    return f"{define}\n_define_module{arguments!r}\ndel _define_module\n"
