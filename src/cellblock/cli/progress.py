"""What a person sees of a running document."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.segment import Segment, Segments
from rich.spinner import Spinner
from rich.style import Style
from rich.table import Table
from rich.text import Text

from cellblock._core.outputs import ClearOutput, DisplayOutput, ErrorOutput, OmittedOutput, Output, StreamOutput
from cellblock._core.render import render_cell
from cellblock._core.results import CellResult, CellStatus
from cellblock._core.shell_failure import is_shell_failure
from cellblock._core.terminal import screen_text
from cellblock.cli.plain_lines import PlainLines
from cellblock.notebook.runner import BlockEvent, BlockFinished, BlockOutput, BlockStarted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rich.console import Console, RenderableType

    from cellblock.notebook.documents import Block, Document

__all__ = ["Progress", "outcome", "shown_path"]

_OUTCOMES = {
    CellStatus.OK: "ok",
    CellStatus.ERROR: "failed",
    CellStatus.TIMEOUT: "timed out",
    CellStatus.INTERRUPTED: "interrupted",
    CellStatus.DIED: "kernel died",
    CellStatus.NOT_RUN: "not run",
}


def outcome(result: CellResult, exit_code: int) -> str:
    """How a block ended, in one or two words.

    Args:
        result: What it came to.
        exit_code: The block's; 0 for one that failed and may.
    """
    return "failed as expected" if result.status is CellStatus.ERROR and not exit_code else _OUTCOMES[result.status]


class Progress:
    """Shows each block, its outputs as they come, and its outcome; on a terminal also what is running at the moment.

    Args:
        console: Where it is shown.
        document: What runs.
    """

    def __init__(self, console: Console, document: Document) -> None:
        self._console = console
        self._total = len(document.blocks)
        self._running = _Running("starting the kernel")
        self._live = Live(self._running, console=console, transient=True, refresh_per_second=8)
        self._titled = False
        self._stdout = PlainLines(lambda text: self._print_output(text, ""))
        self._stderr = PlainLines(lambda text: self._print_output(text, "yellow"))
        self._block: Block | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, event: BlockEvent, files: Sequence[Path] = ()) -> None:
        """Shows what happened.

        Args:
            event: What ``run_document`` told.
            files: What a finished block's pictures and pages were saved as.
        """
        if self._console.quiet:
            return
        match event:
            case BlockStarted(block):
                self._start(block)
            case BlockOutput(block, output):
                self._output(block, output)
            case BlockFinished():
                self._finish(event, files)

    def _start(self, block: Block) -> None:
        self._block, self._titled = block, False
        self._running.restart(f"{self._place(block)} {block.title}")
        if not self._console.is_terminal:
            self._print_title(block)

    def _output(self, block: Block, output: Output) -> None:
        match output:
            case StreamOutput():
                (self._stdout if output.name == "stdout" else self._stderr).feed(output.text)
                return
            case ClearOutput() | DisplayOutput(update=True):
                return  # what was printed stays; the notebook and the files have the last state
            case OmittedOutput():
                text = f"[{output.characters:,} characters came too fast to be shown; the notebook has them.]"
                self._print_output(text, "yellow")
                return
            case ErrorOutput() if is_shell_failure(block.language, output):
                return
        self._flush()
        text = render_cell(CellResult(CellStatus.OK, (output,))).text
        if text:
            self._print_output(text, "red" if isinstance(output, ErrorOutput) else "")

    def _finish(self, finished: BlockFinished, files: Sequence[Path]) -> None:
        self._flush()
        block, result = finished.block, finished.result
        for note in result.notes:
            self._print_output(screen_text(note), "yellow")
        mark, style = ("✗", "red") if finished.exit_code else ("·", "dim") if not result.ok else ("✓", "green")
        line = Text.assemble((f"{mark} ", style))
        if not (self._titled and block is self._block):
            line.append_text(self._title(block)).append("  ")
        line.append(outcome(result, finished.exit_code), style)
        if result.status is not CellStatus.NOT_RUN:
            line.append(f" {result.duration:.2f} s", "dim")
        if files:
            line.append(f"  → {', '.join(file.name for file in files)}", "cyan")
        self._print(line)

    def _flush(self) -> None:
        self._stdout.flush()
        self._stderr.flush()

    def _place(self, block: Block) -> str:
        return f"{block.number}/{self._total} {block.language}"

    def _title(self, block: Block) -> Text:
        return Text.assemble((self._place(block), "bold"), " ", (screen_text(block.title), "dim"))

    def _print_title(self, block: Block) -> None:
        self._titled = True
        self._print(Text.assemble(("▸ ", "bold"), self._title(block)))

    def _print_output(self, text: str, style: str) -> None:
        if self._block and not self._titled:
            self._print_title(self._block)
        bar, shown = Segment("  │ ", Style(dim=True)), Style.parse(style)
        line = Segment.line()
        # Segments and not Text: a cell may print 100,000 lines, and they are to take no longer than it did.
        lines = text.removesuffix("\n").split("\n")
        self._console.print(Segments([part for said in lines for part in (bar, Segment(said, shown), line)]), end="")

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


class _Running:
    """The line on a terminal that says what is running, and for how long."""

    def __init__(self, what: str) -> None:
        self._spinner = Spinner("dots", style="cyan")
        self.restart(what)

    def restart(self, what: str) -> None:
        self._what = screen_text(what)
        self._since = time.monotonic()

    def __rich__(self) -> RenderableType:
        line = Table.grid(padding=(0, 1))
        line.add_column()
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_column(no_wrap=True)
        line.add_row(self._spinner, Text(self._what), Text(f"{time.monotonic() - self._since:.1f} s", "dim"))
        return line


def shown_path(path: Path) -> str:
    """A path as a person reads it: from the working directory if it is in it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
