"""What ``cellblock exec`` does. Its options are declared in ``exec``, which ``--help`` imports without this."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.cli.block_files import make_directory
from cellblock.cli.cell_printer import CellPrinter
from cellblock.cli.interrupts import ctrl_c_interrupts
from cellblock.cli.options import checked_seconds
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
    printer = CellPrinter(sink)
    async with AsyncSession(kernel, timeout=timeout) as session:
        try:
            with ctrl_c_interrupts(session):
                await started(session)
                result = await session.run(code, on_output=printer.show)
        except asyncio.CancelledError:
            return 130
    printer.finish(result)
    return result.exit_code
