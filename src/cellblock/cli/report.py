"""What running a document came to: the summary for a person, and JSON for a program."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cellblock._core.render import render_cell
from cellblock._core.results import CellResult, CellStatus
from cellblock._core.terminal import screen_text
from cellblock._core.tracebacks import error_summary
from cellblock.cli.block_files import BlockFiles
from cellblock.cli.progress import outcome, shown_path
from cellblock.guarded_files import GuardedSink
from cellblock.notebook.runner import BlockFinished

if TYPE_CHECKING:
    from rich.console import Console

    from cellblock.notebook.documents import Block, Document

__all__ = ["BlockReport", "RunReport", "show_summary"]


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What one block came to.

    Attributes:
        block: The block.
        result: Its result.
        exit_code: 0 unless it failed.
        text: What it showed, as plain text.
        files: What it showed, as files.
    """

    block: Block
    result: CellResult
    exit_code: int
    text: str
    files: tuple[Path, ...]

    @property
    def outcome(self) -> str:
        """How it ended, in one or two words."""
        return outcome(self.result, self.exit_code)

    @property
    def sentence(self) -> str:
        """Which block failed, how, and why."""
        line = f" (line {self.block.line})" if self.block.line else ""
        if self.result.error is not None and self.result.status is CellStatus.ERROR:
            why = error_summary(self.result.error).split("\n", 1)[0]
        else:
            why = screen_text(" ".join(self.result.notes))
        what = f"Block {self.block.number}{line} {self.outcome}"
        return f"{what}: {why}" if why else f"{what}."

    def as_json(self) -> dict[str, Any]:
        """The block for a program."""
        result, error = self.result, self.result.error
        return {
            "number": self.block.number,
            "language": self.block.language,
            "line": self.block.line or None,
            "status": str(result.status),
            "exit_code": self.exit_code,
            "duration": round(result.duration, 3),
            "execution_count": result.execution_count,
            "generation": result.generation,
            "state_kept": result.state_kept,
            "text": self.text,
            "files": [str(file) for file in self.files],
            "error": {"ename": error.ename, "evalue": error.evalue} if error else None,
            "notes": list(result.notes),
        }


@dataclass(slots=True)
class RunReport:
    """What a whole document came to.

    Attributes:
        document: What was run.
        kernel_name: The kernelspec's name.
        output_dir: Where files went.
        notebook: The executed notebook.
        confined: Whether nobody vouches for the code, so that what it shows is saved without scripts that run by themselves.
        page: The HTML page, if one was made.
        duration: Seconds from the start of the kernel to the end of the last block.
        blocks: What the blocks came to so far.
        cancelled: Whether Ctrl-C ended it and no block ended as interrupted.
        started: When, on the monotonic clock.
    """

    document: Document
    kernel_name: str
    output_dir: Path
    notebook: Path
    confined: bool = False
    page: Path | None = None
    duration: float = 0.0
    blocks: list[BlockReport] = field(default_factory=list)
    cancelled: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def failures(self) -> list[BlockReport]:
        """The blocks that failed."""
        return [block for block in self.blocks if block.exit_code]

    @property
    def exit_code(self) -> int:
        """0 if all blocks succeeded, else that of the first that did not; 130 after Ctrl-C between blocks."""
        return self.failures[0].exit_code if self.failures else 130 if self.cancelled else 0

    def as_json(self) -> dict[str, Any]:
        """The run for a program."""
        return {
            "document": self.document.name,
            "kernel": self.kernel_name,
            "exit_code": self.exit_code,
            "duration": round(self.duration, 3),
            "output_dir": str(self.output_dir),
            "notebook": str(self.notebook),
            "html": str(self.page) if self.page else None,
            "blocks": [block.as_json() for block in self.blocks],
        }

    def add(self, finished: BlockFinished) -> tuple[Path, ...]:
        """Adds a block that is over and gives the files that its pictures and pages were saved as."""
        result = finished.result
        if result.status is CellStatus.NOT_RUN:
            self.blocks.append(BlockReport(finished.block, result, 0, "", ()))
            return ()
        files = BlockFiles(self.output_dir, finished.block.number)
        rendered = render_cell(result, GuardedSink(files) if self.confined else files)
        saved = tuple(map(Path, rendered.files))
        self.blocks.append(BlockReport(finished.block, result, finished.exit_code, rendered.text, saved))
        return saved

    def add_rest(self) -> None:
        """Adds the blocks that nothing was told of, as not run."""
        for block in self.document.blocks[len(self.blocks) :]:
            self.add(BlockFinished(block, CellResult(CellStatus.NOT_RUN)))


def show_summary(report: RunReport, console: Console) -> None:
    """Shows what a document came to and where its results are.

    Args:
        report: What it came to.
        console: Where it is shown.
    """
    said = ", ".join(f"{count} {what}" for what, count in Counter(block.outcome for block in report.blocks).items())
    blocks = "1 block" if len(report.blocks) == 1 else f"{len(report.blocks)} blocks"
    style = "red bold" if report.exit_code else "green bold"
    console.print()
    console.print(Text(f"{blocks}: {said}, in {report.duration:.1f} s", style), soft_wrap=True)
    for failure in report.failures:
        console.print(Text(failure.sentence, "red"), soft_wrap=True)
    files = sum(len(block.files) for block in report.blocks)
    shown = f"{shown_path(report.output_dir)} ({'1 file' if files == 1 else f'{files} files'})" if files else ""
    page = shown_path(report.page) if report.page else ""
    for name, where in (("Notebook", shown_path(report.notebook)), ("Page", page), ("Outputs", shown)):
        if where:
            console.print(Text.assemble((f"{name:<9} ", "dim"), where), soft_wrap=True)
