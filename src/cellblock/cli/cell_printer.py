"""What a cell shows, printed as it comes by a command that runs single cells."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cellblock._core.outputs import ClearOutput, DisplayOutput, ErrorOutput, Output, StreamOutput
from cellblock._core.render import render_cell
from cellblock._core.results import CellResult, CellStatus
from cellblock.cli.plain_lines import PlainLines

if TYPE_CHECKING:
    from cellblock._core.renderers import Sink

__all__ = ["CellPrinter"]


class CellPrinter:
    """Prints what a cell shows, as it comes: results and what it prints to our stdout, errors and notes to our stderr.

    Args:
        sink: Where pictures and pages are saved; None describes them.
    """

    def __init__(self, sink: Sink | None) -> None:
        self._sink = sink
        self._stdout = PlainLines(lambda text: print(text, end="", flush=True))
        self._stderr = PlainLines(lambda text: print(text, end="", flush=True, file=sys.stderr))

    def show(self, output: Output) -> None:
        """Prints an output."""
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
        """Prints what is left of the cell, and what is to be said of it."""
        self._stdout.flush()
        self._stderr.flush()
        for note in result.notes:
            print(f"cellblock: {note}", file=sys.stderr)

    def end_lines(self) -> None:
        """Ends a line that the cell has begun and not ended, before something else is printed."""
        for stream in (self._stdout, self._stderr):
            stream.end_line()


def _text(output: Output, sink: Sink | None) -> str:
    text = render_cell(CellResult(CellStatus.OK, (output,)), sink).text
    return text if text.endswith("\n") or not text else text + "\n"
