"""``cellblock run``: a document's blocks in one kernel."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

__all__ = ["run"]


def run(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A Markdown file or a notebook; - is standard input.")],
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Time for each block.")] = 600.0,
    kernel: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The kernel to run on; by default the notebook's own, or python3."),
    ] = None,
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
        Path | None, typer.Option(metavar="DIRECTORY", help="Where files go; by default FILE's name with -output.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="NOTEBOOK", help="The executed notebook; by default in DIRECTORY."),
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Also make a page that needs no other file and no network.")
    ] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", "-k", help="Go on after a block that fails.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but what went wrong.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")] = False,
) -> None:
    """Run the code blocks of a document in one kernel, and write an executed notebook.

    The exit status is 0, or that of the first block that failed: 1 it raised, 124 it took too long, 130 it was
    interrupted, 137 its kernel died. It is 2 if nothing could be run.
    """
    from cellblock.cli.kernel_choice import KernelChoice
    from cellblock.cli.run_command import RunOptions, run_file

    options = RunOptions(
        file=file,
        timeout=timeout,
        kernel=kernel,
        where=KernelChoice(server, sandbox),
        output_dir=output_dir,
        notebook=output,
        html=html,
        keep_going=keep_going,
        show="json" if json else "failures" if quiet else "progress",
    )
    raise typer.Exit(run_file(options))
