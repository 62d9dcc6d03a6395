"""The import name ``autogen``: AutoGen 0.2's names for cellblock's modules, classes and functions.

Importing this is quick: each name and each submodule loads on first use.
"""

# ruff: noqa: INP001 - a module on its own, on purpose (see pyproject.toml)

from importlib import import_module
from typing import Any

from cellblock_autogen.names import API_VERSION, HOMES, MISSING, SUBMODULES
from cellblock_autogen.presence import refuse_to_hide_autogen
from cellblock_autogen.submodules import install

refuse_to_hide_autogen()
install(__name__)

__path__: list[str] = []  # makes it a package, whose submodules are found by what was just installed
__version__ = API_VERSION
__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    if name in SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name in MISSING:
        raise ImportError(f"autogen.{name} is not part of cellblock: {MISSING[name]}.", name=f"autogen.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
