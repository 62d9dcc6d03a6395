"""What a person sees of a chat."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markdown import Markdown
from rich.text import Text

from cellblock._core.outputs import ClearOutput, DisplayOutput, ErrorOutput, Output, StreamOutput
from cellblock._core.render import render_cell
from cellblock._core.results import CellResult, CellStatus
from cellblock._core.terminal import screen_text
from cellblock.cli.plain_lines import PlainLines
from cellblock.cli.progress import shown_path

if TYPE_CHECKING:
    from rich.console import Console

    from cellblock.coding.base import IPythonCodeResult

__all__ = ["ChatView"]

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})


class ChatView:
    """Shows messages, outputs as they come, and the files that were made.

    Args:
        console: Where they are shown.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stdout = PlainLines(lambda text: self._print_output(text, ""))
        self._stderr = PlainLines(lambda text: self._print_output(text, "yellow"))

    def message(self, speaker: str, text: str) -> None:
        """Shows what somebody said."""
        self._console.print(Text(f"\n{speaker}", "bold cyan"))
        text = screen_text(text).strip("\n")
        if self._console.is_terminal:
            self._console.print(Markdown(text))
        else:
            self._console.print(Text(text), soft_wrap=True)

    def output(self, output: Output) -> None:
        """Shows what a running block shows."""
        match output:
            case StreamOutput():
                (self._stdout if output.name == "stdout" else self._stderr).feed(output.text)
                return
            case ClearOutput() | DisplayOutput(update=True):
                return
        self._flush()
        text = render_cell(CellResult(CellStatus.OK, (output,))).text
        if text:
            self._print_output(text, "red" if isinstance(output, ErrorOutput) else "")

    def outcome(self, result: IPythonCodeResult) -> None:
        """Shows how blocks ended, and which files they made."""
        self._flush()
        for cell in result.cells:
            for note in cell.notes:
                self._print_output(screen_text(note), "yellow")
        for file in map(Path, result.output_files):
            self._console.print(Text(f"  → {shown_path(file)} ({_size(file)})", "cyan"), soft_wrap=True)
            if self._console.is_terminal and file.suffix in _PICTURES:
                self._draw(file)
        if result.exit_code:
            self._console.print(Text(f"  ✗ exit code {result.exit_code}", "red"))

    def note(self, text: str) -> None:
        """Shows a remark about the chat."""
        self._console.print(Text(f"\n{text}", "dim"), soft_wrap=True)

    def _draw(self, picture: Path) -> None:
        logging.getLogger("textual_image").addHandler(logging.NullHandler())  # else it complains of silent terminals
        try:
            library = import_module("textual_image.renderable")
        except ImportError:  # the extra "pictures" is not installed
            return
        blocks_of_colour = library.Image is library.HalfcellImage
        if blocks_of_colour and self._console.color_system not in ("256", "truecolor"):
            return  # in 16 colours nobody can tell what it shows
        try:
            self._console.print(library.Image(str(picture)))
        except Exception:  # a damaged picture, a terminal without a size: the file has been named, and that must do
            return

    def _flush(self) -> None:
        self._stdout.flush()
        self._stderr.flush()

    def _print_output(self, text: str, style: str) -> None:
        lines = text.removesuffix("\n").split("\n")
        shown = Text("\n".join(f"  │ {line}" for line in lines), style)
        self._console.print(shown, soft_wrap=True)


def _size(file: Path) -> str:
    size = file.stat().st_size
    return (
        f"{size} B"
        if size < 1024
        else f"{size / 1024:.0f} kB"
        if size < 1024 * 1024
        else f"{size / 1024 / 1024:.1f} MB"
    )
