"""Outcomes as Markdown for readers and as JSON for programs."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import CONTENDERS
from benchmarks.ratios import Spread, ratio, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.cases import Promise
    from benchmarks.harness import Outcome

__all__ = ["as_json", "as_markdown", "broken_promises"]

_SCALES = {"ms": 1000.0, "%": 100.0}
_BETTER_HIGH = {"MB/s", "/s", "%"}


def as_markdown(outcomes: Iterable[Outcome]) -> str:
    """A page with a table for each case."""
    lines = [
        f"Measured {_machine()}.",
        "",
        "Medians; quartiles in brackets. Ratios are of single rounds, quartiles likewise.",
    ]
    for outcome in outcomes:
        lines += ["", f"### {outcome.case.title}", "", *_table(outcome), "", *_kept_promises(outcome)]
    return "\n".join(lines) + "\n"


def as_json(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Every number of every round."""
    return {
        "machine": _machine(),
        "cases": {
            outcome.case.name: {
                "title": outcome.case.title,
                "units": dict(outcome.case.units),
                "numbers": outcome.numbers,
                "failures": outcome.failures,
            }
            for outcome in outcomes
        },
    }


def broken_promises(outcomes: Iterable[Outcome]) -> list[str]:
    """A sentence for each promise that this run did not keep."""
    return [
        f"{outcome.case.name}: {_promise_line(outcome, promise)}"
        for outcome in outcomes
        for promise in outcome.case.promises
        if not _kept(outcome, promise)
    ]


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("cellblock", "ipykernel", "jupyter_client", "pyzmq"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d} on {platform.system()} {platform.machine()} with {os.cpu_count()} CPUs; "
        f"Python {platform.python_version()}, {packages}"
    )


def _table(outcome: Outcome) -> Iterator[str]:
    case = outcome.case
    reference = case.contenders[0]
    metrics = list(case.units)
    compared = metrics[0]
    head = [
        *(f"{metric}, {unit}" if metric != unit else unit for metric, unit in case.units.items()),
        f"{compared}, ratio",
    ]
    yield f"| | {' | '.join(head)} |"
    yield f"|---|{'---:|' * len(head)}"
    for name in case.contenders:
        title = CONTENDERS[name].title
        if name not in outcome.numbers:
            yield f"| {title} | failed |{' |' * (len(head) - 1)}"
            continue
        numbers = outcome.numbers[name]
        cells = [_shown(spread(numbers[metric]), case.units[metric]) for metric in metrics]
        against = outcome.numbers.get(reference)
        cells.append(
            "" if name == reference or against is None else _times(ratio(numbers[compared], against[compared]))
        )
        yield f"| {title} | {' | '.join(cells)} |"


def _kept_promises(outcome: Outcome) -> Iterator[str]:
    for promise in outcome.case.promises:
        yield f"- {_promise_line(outcome, promise)} {'Kept.' if _kept(outcome, promise) else '**Not kept.**'}"


def _promise_line(outcome: Outcome, promise: Promise) -> str:
    unit = outcome.case.units[promise.metric]
    bound = "at least" if promise.at_least is not None else "at most"
    limit = promise.at_least if promise.at_least is not None else promise.at_most
    assert limit is not None
    reached = _reached(outcome, promise)
    title = CONTENDERS[promise.contender].title
    if promise.than:
        words = f"{title}, {bound} {limit:.3g} times as good as {CONTENDERS[promise.than].title}"
        return f"Promised for {promise.metric}: {words}; reached {'nothing' if reached is None else _times(reached)}."
    shown = "nothing" if reached is None else _shown(reached, unit)
    return f"Promised for {promise.metric}: {title}, {bound} {_number(limit, unit)} {unit}; reached {shown}."


def _reached(outcome: Outcome, promise: Promise) -> Spread | None:
    """What is compared with the promise; None where somebody failed."""
    if promise.contender not in outcome.numbers:
        return None
    own = outcome.numbers[promise.contender][promise.metric]
    if not promise.than:
        return spread(own)
    if promise.than not in outcome.numbers:
        return None
    other = outcome.numbers[promise.than][promise.metric]
    high_is_better = outcome.case.units[promise.metric] in _BETTER_HIGH
    return ratio(own, other) if high_is_better else ratio(other, own)


def _kept(outcome: Outcome, promise: Promise) -> bool:
    reached = _reached(outcome, promise)
    if reached is None:
        return False
    enough = promise.at_least is None or reached.median >= promise.at_least
    return enough and (promise.at_most is None or reached.median <= promise.at_most)


def _shown(numbers: Spread, unit: str) -> str:
    if numbers.low == numbers.high:
        return _number(numbers.median, unit)
    return f"{_number(numbers.median, unit)} [{_number(numbers.low, unit)}, {_number(numbers.high, unit)}]"


def _times(numbers: Spread) -> str:
    return f"{numbers.median:.3g}x [{numbers.low:.3g}, {numbers.high:.3g}]"


def _number(number: float, unit: str) -> str:
    scaled = number * _SCALES.get(unit, 1.0)
    return f"{scaled:.0f}" if scaled >= 100 else f"{scaled:.3g}"
