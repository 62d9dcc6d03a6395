"""``cellblock exec``: some code as one cell."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

__all__ = ["exec_"]


def exec_(
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="A file of code; - is standard input.")] = None,
    code: Annotated[str | None, typer.Option("--code", "-c", metavar="CODE", help="The code itself.")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Time for the code; by default without end.")
    ] = None,
    kernel: Annotated[str, typer.Option(metavar="NAME", help="The kernel to run on.")] = "python3",
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL|local|docker[:IMAGE]",
            help="Run on a Jupyter server; by default none is needed. A URL's token may be in JUPYTER_TOKEN instead.",
        ),
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Confine the code: no network, no files but its own.")
    ] = False,
    output_dir: Annotated[
        Path | None, typer.Option(metavar="DIRECTORY", help="Where pictures and pages that it shows are saved.")
    ] = None,
) -> None:
    """Run code as one cell of a new kernel.

    What it prints goes to the standard output and the standard error. The exit status is that of the code: 0, 1 it
    raised, 124 it took too long, 130 it was interrupted, 137 its kernel died. It is 2 if nothing could be run.
    """
    from cellblock.cli.exec_command import execute, source_of
    from cellblock.cli.kernel_choice import KernelChoice

    where = KernelChoice(server, sandbox)
    raise typer.Exit(execute(source_of(file, code), timeout=timeout, kernel=kernel, where=where, output_dir=output_dir))
