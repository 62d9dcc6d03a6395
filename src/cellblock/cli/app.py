"""The program ``cellblock``: its commands, and how it speaks of what went wrong."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cellblock import __version__
from cellblock.cli.chat import chat
from cellblock.cli.doctor import doctor
from cellblock.cli.exec import exec_
from cellblock.cli.install_kernel import install_kernel
from cellblock.cli.kernels import kernels
from cellblock.cli.run import run
from cellblock.cli.serve import serve
from cellblock.cli.server_url import HOW_TO_BE_LET_IN
from cellblock.errors import AuthError, CellblockError

__all__ = ["main"]

_UNUSABLE = 2  # exit status when nothing could be run; a block that fails has another

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run)
app.command("exec")(exec_)
app.command("chat")(chat)
app.command("serve")(serve)
app.add_typer(kernels, name="kernels")
app.command("install-kernel")(install_kernel)
app.command("doctor")(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"cellblock {__version__}")
        raise typer.Exit


@app.callback()
def _cellblock(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run code blocks as cells of a live Jupyter kernel."""


def main() -> None:
    """Runs the command that the program's arguments name and exits with its status; without arguments, shows the help."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character gets its number
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="cellblock", standalone_mode=False)
    except typer.TyperException as error:
        named = [command.name for command in app.registered_commands if command.name in sys.argv[1:2]]
        fail(f"{error.format_message().rstrip('.')}. See: {' '.join(['cellblock', *map(str, named), '--help'])}")
    except AuthError as error:
        fail(f"{error.wants_token} {HOW_TO_BE_LET_IN}" if error.wants_token else str(error))
    except CellblockError as error:
        fail(str(error))
    except OSError as error:
        fail(_refused(error))
    sys.exit(status)


def _refused(error: OSError) -> str:
    """A sentence for what the operating system refused where nobody foresaw it."""
    try:
        Path.cwd()
    except OSError:
        return "The working directory is not there any more; change to one that is."
    what = error.strerror or str(error) or type(error).__name__
    return f"The system refused to go on: {what}{f': {error.filename}' if error.filename else ''}."


def fail(sentence: str) -> NoReturn:
    """Ends the program because nothing could be run."""
    print(f"cellblock: {sentence}", file=sys.stderr)
    sys.exit(_UNUSABLE)
