"""``cellblock serve``: a Jupyter server of ours in the foreground."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    ip: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; others can reach any but this.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int | None, typer.Option(metavar="NUMBER", help="By default any that is free.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds the token; by default there is a new one.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="DIRECTORY", help="Where kernels start; by default the current directory.")
    ] = None,
    log_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to log; by default in a temporary folder.")
    ] = None,
) -> None:
    """Start a Jupyter server of this machine, print its URL, and serve until Ctrl-C.

    The code that clients run on it runs as you. The server's kernels end with it. The exit status is 1 if the server
    ended by itself, and 2 if it did not start.
    """
    from cellblock.cli.serve_command import serve_until_stopped

    raise typer.Exit(serve_until_stopped(ip=ip, port=port, token_file=token_file, root=root, log_file=log_file))
