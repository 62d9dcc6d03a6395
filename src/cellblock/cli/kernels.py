"""``cellblock kernels``: the kernels that run on a Jupyter server."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["kernels"]

_Server = Annotated[
    str,
    typer.Option(
        metavar="URL",
        envvar="CELLBLOCK_SERVER",
        help="The server's URL. A token that it does not hold is taken from the environment: JUPYTER_TOKEN.",
    ),
]

kernels = typer.Typer(help="List, use and stop the kernels that run on a Jupyter server.", no_args_is_help=True)


@kernels.command("list")
def list_(server: _Server, json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """List the kernels of a server, and who started those of cellblock's."""
    from cellblock.cli.kernels_command import list_kernels

    list_kernels(server, as_json=json)


@kernels.command("attach")
def attach(
    kernel_id: Annotated[str, typer.Argument(metavar="ID", help="Of the kernel; its beginning is enough.")],
    server: _Server,
    code: Annotated[str | None, typer.Option("--code", "-c", metavar="CODE", help="One cell to run.")] = None,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="For each cell; none by default.")] = None,
) -> None:
    """Run cells in a kernel that runs already, and leave it running.

    Without -c cells are read from the standard input: all of it is one cell, or, on a terminal, an empty line ends a
    cell and Ctrl-D the whole.
    """
    from cellblock.cli.kernels_command import run_cells

    raise typer.Exit(run_cells(server, kernel_id, code=code, timeout=timeout))


@kernels.command("stop")
def stop(
    server: _Server,
    kernel_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Of the kernels; their beginnings are enough.")
    ] = None,
    orphaned: Annotated[
        bool,
        typer.Option(
            "--orphaned",
            help="Stop all that cellblock started and whose owner is gone, or that nobody has used for a minute.",
        ),
    ] = False,
    label: Annotated[str | None, typer.Option(metavar="LABEL", help="Stop all that were started with it.")] = None,
) -> None:
    """Stop kernels of a server. What they hold in memory is lost."""
    from cellblock.cli.kernels_command import stop_kernels

    raise typer.Exit(stop_kernels(server, kernel_ids or [], orphaned=orphaned, label=label))
