"""Runs a case: everybody's turn in each round, one at a time, in an order that changes from round to round."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.contenders import CONTENDERS
from benchmarks.processes import Worker, WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.cases import Case

__all__ = ["Outcome", "run_case"]

_QUICK_ROUNDS = 3
_QUICK_SECONDS = 15.0  # after which a quick run begins no other round


@dataclass(slots=True)
class Outcome:
    """What a case came to.

    Attributes:
        case: Which.
        numbers: For each contender, for each metric, one number a round.
        failures: What kept a contender from finishing; it has no numbers then.
    """

    case: Case
    numbers: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def run_case(case: Case, *, quick: bool = False) -> Outcome:
    """Runs all rounds of a case.

    Args:
        case: Which.
        quick: Three rounds at most, and one of a case that takes long.
    """
    outcome = Outcome(case)
    collected: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in case.contenders}
    with ExitStack() as stack:
        workers = (
            {} if case.fresh else {name: stack.enter_context(Worker(CONTENDERS[name])) for name in case.contenders}
        )
        for order in _rounds(case, quick=quick):
            for name in order:
                if name in outcome.failures:
                    continue
                try:
                    numbers = _one_turn(case, name, workers.get(name))
                except WorkerFailed as failure:
                    outcome.failures[name] = str(failure)
                    continue
                for metric, number in numbers.items():
                    collected[name][metric].append(number)
    outcome.numbers = {name: dict(collected[name]) for name in case.contenders if name not in outcome.failures}
    return outcome


def _rounds(case: Case, *, quick: bool) -> Iterator[list[str]]:
    """The order of the contenders in each round."""
    shuffle = random.Random(case.name)  # the same orders in every run
    began = time.monotonic()
    for number in range(min(case.rounds, _QUICK_ROUNDS) if quick else case.rounds):
        if quick and number > 0 and time.monotonic() - began > _QUICK_SECONDS:
            return
        yield shuffle.sample(case.contenders, len(case.contenders))


def _one_turn(case: Case, name: str, worker: Worker | None) -> dict[str, float]:
    arguments = {**case.arguments, **case.own.get(name, {})}
    if worker is not None:
        return worker.measure(case.measure, arguments)
    with Worker(CONTENDERS[name]) as fresh:
        return fresh.measure(case.measure, arguments)
