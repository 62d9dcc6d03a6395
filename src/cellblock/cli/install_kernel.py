"""``cellblock install-kernel``: a kernelspec whose kernels every Jupyter server of this environment forks."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["install_kernel"]


def install_kernel(
    preload: Annotated[
        str, typer.Option(metavar="PACKAGES", help="Imported in every kernel already, as in numpy,pandas,matplotlib.")
    ] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="What the kernelspec is asked for by.")] = "cellblock",
    display_name: Annotated[str, typer.Option(metavar="TEXT", help="What JupyterLab shows.")] = "Python 3 (cellblock)",
    user: Annotated[
        bool, typer.Option("--user", help="Install for all environments of this user instead of for this one.")
    ] = False,
) -> None:
    """Install a kernel that starts in milliseconds in JupyterLab, Jupyter Server and Kernel Gateway.

    They must run on this Python environment, where cellblock is. Each package is tried first: one that does not survive
    being imported ahead is refused, and the reason is said.
    """
    from cellblock.cli.install_kernel_command import install

    packages = [package.strip() for package in preload.split(",") if package.strip()]
    raise typer.Exit(install(packages, name=name, display_name=display_name, user=user))
