"""Finds the submodules of ``autogen``: each is a module that exists under another name, the very same object."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

from cellblock_autogen.names import SUBMODULES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["install"]


def install(package: str) -> None:
    """Makes ``import package.submodule`` find what ``SUBMODULES`` names.

    Args:
        package: ``autogen``.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(package))


class _Finder(MetaPathFinder):
    """Must come before Python's own finder, which would make second copies of the modules of aliased packages."""

    def __init__(self, package: str) -> None:
        self._prefix = f"{package}."

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if not fullname.startswith(self._prefix):
            return None
        home = SUBMODULES.get(fullname.removeprefix(self._prefix))
        if home is None:
            raise ModuleNotFoundError(
                f"{fullname} is not part of what cellblock provides of AutoGen 0.2.", name=fullname
            )
        return ModuleSpec(fullname, _Alias(home))


class _Alias(Loader):
    """Gives a module that exists under another name."""

    def __init__(self, home: str) -> None:
        self._home = home

    def exec_module(self, module: ModuleType) -> None:
        # What a loader leaves in sys.modules is what the import gives.
        sys.modules[module.__name__] = import_module(self._home)
