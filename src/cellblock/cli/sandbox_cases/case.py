"""What a case is, and how one is written."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Case", "Cases", "Group", "Open"]

Attack = Callable[[], str | None]


class Group(StrEnum):
    """What a case is after."""

    SECRETS = "secrets"
    FILES = "files"
    SURFACE = "the Linux kernel's surface"
    NETWORK = "network"
    LIMITS = "limits"
    PROCESSES = "processes"
    PROTOCOL = "the session"
    OUTPUTS = "outputs"


class Open(StrEnum):
    """Who gets a case through on a kernel without a sandbox."""

    EVERYBODY = "everybody"
    ROOT = "root"  # or whoever owns what it is about
    NOBODY = "nobody here"  # held back there by chance: no such service, no network
    UNTRIED = "not tried"  # it would harm the machine


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to try.

    Attributes:
        name: Unique.
        group: What it is after.
        what: What it tries, as the end of "the code …".
        code: The cell that tries it and leaves what it found in ``found``.
        open_to: Who gets it through without a sandbox.
        last: Whether the kernel is of no use afterwards, so that it gets a kernel of its own.
        seconds: It may take; running out of them counts as held back.
    """

    name: str
    group: Group
    what: str
    code: str
    open_to: Open
    last: bool
    seconds: float


class Cases:
    """The cases of one group, collected as they are defined.

    Args:
        group: Theirs.
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        self.all: list[Case] = []

    def case(
        self, *, open_to: Open = Open.EVERYBODY, last: bool = False, seconds: float = 20.0
    ) -> Callable[[Attack], Attack]:
        """Makes a case of a function: its name, its docstring and its code."""

        def collect(attack: Attack) -> Attack:
            what = (inspect.getdoc(attack) or "").removesuffix(".")
            what = what[:1].lower() + what[1:]
            self.all.append(Case(attack.__name__, self._group, what, _cell(attack), open_to, last, seconds))
            return attack

        return collect


def _cell(attack: Attack) -> str:
    """A cell that defines the function, without its decorators but with its module's imports, and calls it."""
    definition = ast.parse(inspect.getsource(attack)).body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    call = ast.parse(f"found = {definition.name}()").body
    return ast.unparse(ast.Module([*_imports(inspect.getmodule(attack)), definition, *call], []))


def _imports(module: ModuleType | None) -> list[ast.stmt]:
    """The imports at the top of a module, but for those of this project: what those give is in the kernel already."""
    assert module is not None
    return [
        statement
        for statement in ast.parse(inspect.getsource(module)).body
        if isinstance(statement, ast.Import)
        or (
            isinstance(statement, ast.ImportFrom)
            and not (statement.module or "").startswith(("cellblock", "__future__"))
        )
    ]
