"""``autogen.coding.local_commandline_code_executor``, with the names its classes had before."""

from __future__ import annotations

import warnings
from typing import Any

from cellblock.coding.base import CommandLineCodeResult
from cellblock.coding.local_commandline_code_executor import LocalCommandLineCodeExecutor

__all__ = [
    "CommandLineCodeResult",
    "CommandlineCodeResult",
    "LocalCommandLineCodeExecutor",
    "LocalCommandlineCodeExecutor",
]


class _Renamed:
    """A class under its old name: it warns, and is the class in every other respect that programs rely on."""

    def __init__(self, old_name: str, new: type[Any]) -> None:
        self._old_name, self._new = old_name, new

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._warn()
        return self._new(*args, **kwargs)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type[Any], ...]:
        self._warn()
        return (self._new,)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._new)

    def __subclasscheck__(self, subclass: type[Any]) -> bool:
        return issubclass(subclass, self._new)

    def _warn(self) -> None:
        warnings.warn(f"{self._old_name} has been renamed to {self._new.__name__}.", DeprecationWarning, stacklevel=3)


LocalCommandlineCodeExecutor = _Renamed("LocalCommandlineCodeExecutor", LocalCommandLineCodeExecutor)
CommandlineCodeResult = _Renamed("CommandlineCodeResult", CommandLineCodeResult)
