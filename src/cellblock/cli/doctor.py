"""``cellblock doctor``: what is installed, what works here, and what to do about the rest."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["doctor"]


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove containers that programs left behind when they were killed.")
    ] = False,
    sandbox_check: Annotated[
        bool, typer.Option("--sandbox-check", help="Try what sandboxed code must not be able to do, case by case.")
    ] = False,
) -> None:
    """Say what is installed, which back ends work here, and what to do about the rest.

    Back ends are tried, not guessed at. The exit status is 0 if code can be run here, else 1.
    """
    from cellblock.cli.doctor_command import examine, remove_leftovers

    if sandbox_check:
        from cellblock.cli.sandbox_check import check_sandbox

        raise typer.Exit(check_sandbox(as_json=json))
    if clean:
        raise typer.Exit(remove_leftovers())
    raise typer.Exit(examine(as_json=json))
