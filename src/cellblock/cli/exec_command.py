"""What ``cellblock exec`` does. Its options are declared in ``exec``, which ``--help`` imports without this."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock._core.outputs import ClearOutput, DisplayOutput, ErrorOutput, Output, StreamOutput
from cellblock._core.render import render_cell
from cellblock._core.results import CellResult, CellStatus
from cellblock.cli.block_files import make_directory
from cellblock.cli.interrupts import ctrl_c_interrupts
from cellblock.cli.options import checked_seconds
from cellblock.cli.plain_lines import PlainLines
from cellblock.cli.starting import started
from cellblock.errors import ConfigError
from cellblock.files import DirectorySink
from cellblock.guarded_files import GuardedSink
from cellblock.notebook.reading import read_text
from cellblock.session import AsyncSession

if TYPE_CHECKING:
    from cellblock._core.renderers import Sink
    from cellblock.cli.kernel_choice import KernelChoice
    from cellblock.kernels import Kernel

__all__ = ["execute", "source_of"]


def source_of(file: str | None, code: str | None) -> str:
    """The code that the command line names.

    Args:
        file: A file, or "-" for standard input.
        code: The code itself.

    Raises:
        ConfigError: Neither or both are given, or the file is no text.
    """
    if (file is None) == (code is None):
        raise ConfigError("Give either a file or, with -c, the code itself.")
    return code if code is not None else read_text(file or "-")


def execute(code: str, *, timeout: float | None, kernel: str, where: KernelChoice, output_dir: Path | None) -> int:
    """Runs code as one cell, and prints what it prints.

    Returns:
        The exit status.

    Raises:
        CellblockError: It could not be run.
    """
    if timeout is not None:
        checked_seconds(timeout)
    if output_dir is not None:
        make_directory(output_dir)
    with where.kernel(kernel, Path.cwd()) as chosen:
        return asyncio.run(_execute(code, timeout, chosen, _sink(output_dir, where)))


def _sink(output_dir: Path | None, where: KernelChoice) -> Sink | None:
    if output_dir is None:
        return None
    files = DirectorySink(output_dir)
    return GuardedSink(files) if where.confines else files


async def _execute(code: str, timeout: float | None, kernel: Kernel, sink: Sink | None) -> int:
    printer = _Printer(sink)
    async with AsyncSession(kernel, timeout=timeout) as session:
        try:
            with ctrl_c_interrupts(session):
                await started(session)
                result = await session.run(code, on_output=printer.show)
        except asyncio.CancelledError:
            return 130
    printer.finish(result)
    return result.exit_code


class _Printer:
    """Prints what a cell shows: results and what it prints to our stdout, errors and notes to our stderr."""

    def __init__(self, sink: Sink | None) -> None:
        self._sink = sink
        self._stdout = PlainLines(lambda text: print(text, end="", flush=True))
        self._stderr = PlainLines(lambda text: print(text, end="", flush=True, file=sys.stderr))

    def show(self, output: Output) -> None:
        match output:
            case StreamOutput(name="stdout"):
                self._stdout.feed(output.text)
            case StreamOutput():
                self._stderr.feed(output.text)
            case ErrorOutput():
                self._stderr.feed(_text(output, None))
            case ClearOutput() | DisplayOutput(update=True):
                pass
            case _:
                self._stdout.feed(_text(output, self._sink))

    def finish(self, result: CellResult) -> None:
        self._stdout.flush()
        self._stderr.flush()
        for note in result.notes:
            print(f"cellblock: {note}", file=sys.stderr)


def _text(output: Output, sink: Sink | None) -> str:
    text = render_cell(CellResult(CellStatus.OK, (output,)), sink).text
    return text if text.endswith("\n") or not text else text + "\n"
