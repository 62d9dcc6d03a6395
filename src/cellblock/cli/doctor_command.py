"""What ``cellblock doctor`` does: shows what the checks found."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cellblock._core.terminal import screen_text
from cellblock.cli.checks import Finding, all_findings

__all__ = ["examine", "remove_leftovers"]

_MARKS = {"ok": ("✓", "green"), "missing": ("·", "dim"), "failed": ("✗", "red")}


def examine(*, as_json: bool) -> int:
    """Makes all checks and shows what they found.

    Returns:
        The exit status: 0 if nothing that is always needed has failed.
    """
    findings = all_findings()
    works = not any(finding.needed and finding.state != "ok" for finding in findings)
    if as_json:
        print(json.dumps({"works": works, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        _show(findings, works)
    return 0 if works else 1


def remove_leftovers() -> int:
    """Removes the containers whose programs are gone, stops those that were to be kept, and names them.

    Returns:
        The exit status.

    Raises:
        MissingDependency: Docker's SDK is not installed.
        StartError: No engine answers.
    """
    from cellblock.servers.docker_leftovers import clean_leftovers

    cleaned = clean_leftovers()
    for name in cleaned.removed:
        print(f"removed the container {name}")
    for name in cleaned.stopped:
        print(f"stopped the container {name}, which was to be kept")
    if not (cleaned.removed or cleaned.stopped):
        print("No container was left behind.")
    return 0


def _show(findings: list[Finding], works: bool) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column()
    for group, members in groupby(findings, lambda finding: finding.group):
        table.add_row("", Text(group, "bold"), "")
        for finding in members:
            mark, style = _MARKS[finding.state]
            said = Text(screen_text(finding.detail), style if finding.state != "ok" else "")
            if finding.advice:
                said.append(f"\n{finding.advice}", "cyan")
            table.add_row(Text(mark, style), f"  {finding.name}", said)
        table.add_row()
    console.print(table)
    verdict = (
        ("Code can be run here.", "green bold") if works else ("Code cannot be run here yet; see above.", "red bold")
    )
    console.print(Text(*verdict))
