"""What is compared. Each module here has ``CASES``; a new module is found by itself."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Case", "Promise", "all_cases"]


@dataclass(frozen=True, slots=True)
class Promise:
    """What this project promises of a case.

    Attributes:
        metric: Of which number.
        contender: Whose.
        than: Compared with whose, as a ratio that is the larger the better; nobody's if empty: the number itself.
        at_least: The least it may be.
        at_most: The most it may be.
    """

    metric: str
    contender: str
    than: str = ""
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison.

    Attributes:
        name: How the command line names it.
        title: What it is, for a reader.
        measure: The method of ``benchmarks.measures.Bench``.
        contenders: Who takes part, by their names in ``benchmarks.contenders``.
        arguments: Of the measure, for everybody.
        own: Further arguments of single contenders.
        rounds: How many rounds; everybody's turn comes in each, in an order that changes.
        units: The unit of each number, as it is shown.
        fresh: Whether each round has a new process.
        quick: False for what a quick run leaves out.
        promises: What has been promised of it.
    """

    name: str
    title: str
    measure: str
    contenders: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rounds: int = 9
    units: Mapping[str, Literal["ms", "s", "MB", "MB/s", "%", "/s"]] = field(default_factory=lambda: {"seconds": "ms"})
    fresh: bool = False
    quick: bool = True
    promises: tuple[Promise, ...] = ()


def all_cases() -> dict[str, Case]:
    """Every case by name, in the order of the modules and of their lists."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return {case.name: case for module in modules for case in module.CASES}
