"""``python -m benchmarks [--quick] [CASE …]``: runs the comparisons and writes what came out to ``.bench/results``."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime

from benchmarks.cases import Case, all_cases
from benchmarks.contenders import ROOT
from benchmarks.harness import Outcome, run_case
from benchmarks.report import as_json, as_markdown, broken_promises


def main() -> int:
    """Gives the exit status: 1 if a promise was not kept."""
    cases = all_cases()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare the ways to run a cell.")
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"what to compare; all of it if not given: {', '.join(cases)}"
    )
    parser.add_argument("--quick", action="store_true", help="three rounds of the quicker cases, to see that all works")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.cases if name not in cases]
    if unknown:
        parser.error(f"there is no case {unknown[0]!r}; there are {', '.join(cases)}")
    chosen = [cases[name] for name in arguments.cases] or [
        case for case in cases.values() if case.quick or not arguments.quick
    ]
    outcomes = [_run(case, quick=arguments.quick) for case in chosen]
    _write(outcomes)
    broken = broken_promises(outcomes)
    for sentence in broken:
        print(f"NOT KEPT  {sentence}")
    return 1 if broken else 0


def _run(case: Case, *, quick: bool) -> Outcome:
    print(f"{case.name} …", end=" ", file=sys.stderr, flush=True)
    outcome = run_case(case, quick=quick)
    print("done", file=sys.stderr)
    for name, failure in outcome.failures.items():
        print(f"{name} failed:\n{failure}", file=sys.stderr)
    return outcome


def _write(outcomes: list[Outcome]) -> None:
    folder = ROOT / ".bench" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    page = as_markdown(outcomes)
    stem = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    stem.with_suffix(".md").write_text(page)
    stem.with_suffix(".json").write_text(json.dumps(as_json(outcomes), indent=1))
    print(page)
    print(f"Written to {stem}.md and .json")


if __name__ == "__main__":
    sys.exit(main())
