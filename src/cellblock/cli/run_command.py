"""What ``cellblock run`` does. Its options are declared in ``run``, which ``--help`` imports without this."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from cellblock._core.notebook_cells import notebook_metadata
from cellblock.cli.block_files import make_directory
from cellblock.cli.interrupts import ctrl_c_interrupts
from cellblock.cli.options import checked_seconds
from cellblock.cli.progress import Progress
from cellblock.cli.report import RunReport, show_summary
from cellblock.cli.starting import started
from cellblock.errors import ConfigError
from cellblock.notebook.executed import ExecutedNotebook
from cellblock.notebook.page import PageFacts, document_page
from cellblock.notebook.reading import read_document
from cellblock.notebook.runner import BlockFinished, run_document
from cellblock.notebook_file import replacing
from cellblock.session import AsyncSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellblock.cli.kernel_choice import KernelChoice
    from cellblock.kernels import Kernel
    from cellblock.notebook.documents import Document

__all__ = ["RunOptions", "run_file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of ``cellblock run``.

    Attributes:
        file: The document; "-" for standard input.
        timeout: Seconds for each block.
        kernel: The kernelspec's name; None for the document's own.
        where: Where that kernel runs.
        output_dir: Where files go; None for a directory named after the document.
        notebook: The executed notebook; None for one in ``output_dir``.
        html: Make a page too.
        keep_going: Run the blocks after a failed one.
        show: What is printed.
    """

    file: str
    timeout: float
    kernel: str | None
    where: KernelChoice
    output_dir: Path | None
    notebook: Path | None
    html: bool
    keep_going: bool
    show: Literal["progress", "failures", "json"]


def run_file(options: RunOptions) -> int:
    """Runs a document and shows what comes of it.

    Returns:
        The exit status.

    Raises:
        CellblockError: Nothing could be run.
    """
    checked_seconds(options.timeout)
    console = Console(quiet=options.show != "progress", highlight=False, markup=False, emoji=False)
    with options.where.place(Path(options.file).parent) as place:
        kernel_name = options.kernel or "python3"
        language = place.language(kernel_name)
        document = read_document(options.file, kernel_language=language)
        if options.kernel is None and document.kernel_name is not None:
            kernel_name = document.kernel_name
            language = place.language(kernel_name)
        metadata = notebook_metadata(kernel_name, language)
        report = asyncio.run(_run(document, place.kernel(kernel_name), metadata, options, console))
    if options.html:
        report.page = _write_page(report)
    if options.show == "json":
        print(json.dumps(report.as_json(), indent=2))
    elif options.show == "failures":
        for failure in report.failures:
            print(f"cellblock: {failure.sentence}", file=sys.stderr)
    else:
        show_summary(report, console)
    return report.exit_code


async def _run(
    document: Document, kernel: Kernel, metadata: Mapping[str, Any], options: RunOptions, console: Console
) -> RunReport:
    output_dir = (options.output_dir or Path(f"{document.stem}-output")).absolute()
    async with AsyncSession(kernel, spool_dir=output_dir) as session:
        make_directory(output_dir)
        path = _notebook_path(options, document, output_dir)
        notebook = ExecutedNotebook(path, document, metadata)
        report = RunReport(document, kernel.name, output_dir, path, confined=options.where.confines)
        with Progress(console, document) as progress:
            await _run_blocks(session, report, notebook, progress, options)
        report.add_rest()
        notebook.finish()
    return report


async def _run_blocks(
    session: AsyncSession, report: RunReport, notebook: ExecutedNotebook, progress: Progress, options: RunOptions
) -> None:
    """Runs the blocks until the last, a failure or Ctrl-C."""
    events = run_document(report.document, session, timeout=options.timeout, keep_going=options.keep_going)
    try:
        with ctrl_c_interrupts(session) as interrupts:
            await started(session)
            async with aclosing(events):
                async for event in events:
                    files: Sequence[Path] = ()
                    if isinstance(event, BlockFinished):
                        notebook.record(event.block, event.result)
                        files = report.add(event)
                    progress.show(event, files)
                    if isinstance(event, BlockFinished) and interrupts.pressed:
                        raise asyncio.CancelledError  # the block ended well all the same; the document ends here
    except asyncio.CancelledError:
        report.cancelled = True
    report.duration = time.monotonic() - report.started


def _notebook_path(options: RunOptions, document: Document, output_dir: Path) -> Path:
    if options.notebook is not None:
        path = options.notebook.absolute()
        if path.suffix.lower() != ".ipynb" and path.resolve() == (document.directory / document.name).resolve():
            raise ConfigError(f"The executed notebook would take the place of {path}. Name another file with -o.")
        return path
    path = output_dir / f"{document.stem}.ipynb"
    if path == document.directory / document.name:
        raise ConfigError(f"The executed notebook would take the place of {path}. Name another with -o, or this one.")
    return path


def _write_page(report: RunReport) -> Path:
    path = report.notebook.with_suffix(".html")
    facts = PageFacts(report.kernel_name, datetime.now().astimezone(), report.duration)
    results = {block.block.number: block.result for block in report.blocks}
    page = document_page(report.document, results, facts).encode("utf-8", errors="replace")
    try:
        with replacing(path) as file:
            file.write(page)
    except OSError as error:
        raise ConfigError(f"The page {path} cannot be written: {error.strerror or error}.") from error
    return path
