# ruff: noqa: INP001 - a program, run by path
"""Counts the tests of a JUnit report and fails if some did not run: a skipped test proves nothing.

Usage: python3 .ci/count.py REPORT.xml
"""

import sys
from collections import Counter
from xml.etree import ElementTree as ET

FLOOR = 4300
"""A run with fewer tests has lost some; raise it as tests are added."""

MAY_SKIP: dict[str, str] = {}
"""Tests that cannot run in CI: ``classname::name`` and why."""


def outcome_of(case: ET.Element) -> str:
    """The word for how a test case ended."""
    return next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed")


def main(report: str) -> int:
    """Prints the counts and gives the exit status."""
    cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - pytest wrote it a moment ago
    counts = Counter(outcome_of(case) for case in cases)
    skipped = {f"{case.get('classname')}::{case.get('name')}" for case in cases if outcome_of(case) == "skipped"}
    print(", ".join(f"{counts[word]} {word}" for word in ("passed", "failure", "error", "skipped")))
    faults = [f"must not be skipped: {name}" for name in sorted(skipped - MAY_SKIP.keys())]
    faults += [f"may be skipped but was not: {name}" for name in sorted(MAY_SKIP.keys() - skipped)]
    if counts["passed"] < FLOOR:
        faults.append(f"only {counts['passed']} tests passed, at least {FLOOR} were expected")
    if counts["failure"] or counts["error"]:
        faults.append("some tests failed")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
