"""Numbers of several rounds, and how two contenders compare round by round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Spread", "ratio", "spread"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some numbers and how far they lie apart.

    Attributes:
        low: The first quartile.
        median: The second.
        high: The third.
    """

    low: float
    median: float
    high: float


def spread(numbers: Sequence[float]) -> Spread:
    """The quartiles of numbers."""
    if len(numbers) == 1:
        return Spread(numbers[0], numbers[0], numbers[0])
    return Spread(*statistics.quantiles(numbers, n=4, method="inclusive"))


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """The quartiles of the ratios of each round: what slowed a whole round down cancels out."""
    return spread([one / other for one, other in zip(numerators, denominators, strict=True)])
