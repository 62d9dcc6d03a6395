"""What a person sees of a running document, from the events of a run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from cellblock import CellResult, CellStatus, ClearOutput, DisplayOutput, ErrorOutput, OmittedOutput, StreamOutput
from cellblock.cli.plain_lines import PlainLines
from cellblock.cli.progress import Progress
from cellblock.notebook.documents import Block, Document
from cellblock.notebook.runner import BlockEvent, BlockFinished, BlockOutput, BlockStarted

BLOCK = Block(number=1, code="x = 1", source="x = 1", language="python", cell_id="b")
SHELL = Block(number=2, code="false", source="…", language="bash", cell_id="c")


def shown(*events: BlockEvent, quiet: bool = False, files: tuple[Path, ...] = ()) -> str:
    file = io.StringIO()
    with Progress(Console(file=file, width=80, quiet=quiet), Document("r.md", Path(), (BLOCK, SHELL))) as progress:
        for event in events:
            progress.show(event, files if isinstance(event, BlockFinished) else ())
    return file.getvalue()


def of(*outputs: object, block: Block = BLOCK) -> str:
    """What is shown of a block's outputs, without its title and its end."""
    events = [BlockOutput(block, output) for output in outputs]  # type: ignore[arg-type]
    text = shown(BlockStarted(block), *events, BlockFinished(block, CellResult(CellStatus.OK)))
    return "\n".join(text.splitlines()[1:-1])


def test_a_block_from_title_to_outcome() -> None:
    events = [
        BlockStarted(BLOCK),
        BlockOutput(BLOCK, StreamOutput("stdout", "a\nb")),
        BlockFinished(BLOCK, CellResult(CellStatus.OK, duration=1.234)),
        BlockFinished(SHELL, CellResult(CellStatus.NOT_RUN)),
    ]
    assert shown(*events, files=(Path("/x/block-01-1.png"),)) == (
        "▸ 1/2 python x = 1\n  │ a\n  │ b\n✓ ok 1.23 s  → block-01-1.png\n· 2/2 bash false  not run  → block-01-1.png\n"
    )
    assert shown(*events, quiet=True) == ""


def test_a_long_line_is_no_longer_title() -> None:
    block = replace(BLOCK, code="x" * 10_000_000)
    assert shown(BlockStarted(block)) == f"▸ 1/2 python {'x' * 99}…\n"


def test_outcomes() -> None:
    def end(status: CellStatus, exit_code: int) -> str:
        return shown(
            BlockStarted(BLOCK), BlockFinished(BLOCK, CellResult(status, cause="Why."), exit_code)
        ).splitlines()[-1]

    assert end(CellStatus.ERROR, 1) == "✗ failed 0.00 s"
    assert end(CellStatus.ERROR, 0) == "· failed as expected 0.00 s"
    assert end(CellStatus.TIMEOUT, 124) == "✗ timed out 0.00 s"
    assert end(CellStatus.DIED, 137) == "✗ kernel died 0.00 s"


def test_lines_are_whole_and_streams_keep_apart() -> None:
    chunks = [StreamOutput("stdout", "a"), StreamOutput("stderr", "e\n"), StreamOutput("stdout", "b\n")]
    assert of(*chunks) == "  │ e\n  │ ab"
    assert of(StreamOutput("stdout", "10%\r"), StreamOutput("stdout", "100%\n")) == "  │ 100%"


def test_displays_are_text_and_updates_are_not_repeated() -> None:
    first = DisplayOutput({"text/plain": "1"}, {}, "id")
    again = DisplayOutput({"text/plain": "2"}, {}, "id", update=True)
    assert of(first, again, ClearOutput(wait=True)) == "  │ 1"
    assert of(StreamOutput("stdout", "begun"), first) == "  │ begun\n  │ 1"


def test_errors() -> None:
    assert (
        of(ErrorOutput("ValueError", "bad", ("Traceback", "ValueError: bad"))) == "  │ Traceback\n  │ ValueError: bad"
    )
    assert of(ErrorOutput("CalledProcessError", "returned non-zero exit status 1"), block=SHELL) == ""


def test_output_too_fast_to_show_is_in_the_notebook() -> None:
    assert of(OmittedOutput(1234)) == "  │ [1,234 characters came too fast to be shown; the notebook has them.]"


def test_markup_in_outputs_is_text() -> None:
    assert of(StreamOutput("stdout", "[red]x[/red] :smile: {}\n")) == "  │ [red]x[/red] :smile: {}"


def test_plain_lines_hold_back_what_may_still_be_overwritten() -> None:
    written: list[str] = []
    lines = PlainLines(written.append)
    lines.feed("50%")
    assert written == []
    lines.feed("\r100%\nnext\n\x1b[31mre")
    assert written == ["100%\nnext\n"]
    lines.flush()
    lines.flush()
    assert written == ["100%\nnext\n", "re"]


def test_plain_lines_pass_on_a_line_that_does_not_end() -> None:
    written: list[str] = []
    lines = PlainLines(written.append)
    for _ in range(10):
        lines.feed("x" * 20_000)
    assert sum(map(len, written)) > 100_000
