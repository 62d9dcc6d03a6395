"""Blocks through a session: what both Jupyter executors do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cellblock._core.blocks import CodeBlock, IPythonCodeResult
from cellblock._core.messages import check_code
from cellblock._core.outputs import DisplayOutput, Output, ResultOutput, StreamOutput
from cellblock._core.render import Rendered, apply_budget, render_cell
from cellblock._core.results import CellResult, CellStatus
from cellblock._core.shell_failure import shell_outcome
from cellblock.block_cells import notebook_source, to_cell
from cellblock.deadline import Deadline
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellblock._core.renderers import Sink
    from cellblock.journal import Journal
    from cellblock.session import AsyncSession

__all__ = ["BlockRunner"]

_RENDER_HERE = 64 * 1024  # characters of plain text that render faster than a thread takes over


@dataclass(frozen=True, slots=True)
class _BlockOutcome:
    cell: CellResult
    text: str
    files: list[str]
    exit_code: int


class BlockRunner:
    """Runs blocks as cells of one session and puts their results together.

    Args:
        session: Runs the cells.
        sink: Where images, tables and too long outputs go as files.
        budget: Characters of ``output``; None for no limit.
        journal: Told of every block that ran.
        on_output: Told of each output as it comes.
        join: Puts the blocks' texts together.
    """

    def __init__(
        self,
        session: AsyncSession,
        *,
        sink: Sink,
        budget: int | None,
        journal: Journal | None,
        on_output: Callable[[Output], None] | None,
        join: Callable[[Sequence[str]], str],
    ) -> None:
        self._session = session
        self._sink = sink
        self._budget = budget
        self._journal = journal
        self._on_output = on_output
        self._join = join

    async def run(self, blocks: Sequence[CodeBlock], timeout: float | None) -> IPythonCodeResult:
        """Runs the blocks in order and stops after the first that fails.

        Args:
            blocks: What to run.
            timeout: Seconds for all of them together.
        """
        deadline = Deadline(timeout)
        outcomes: list[_BlockOutcome] = []
        for block in blocks:
            outcome = await self._run_block(block, deadline)
            outcomes.append(outcome)
            if outcome.exit_code != 0:
                break
        not_run = CellResult(CellStatus.NOT_RUN, generation=self._session.generation)
        cells = (*(outcome.cell for outcome in outcomes), *[not_run] * (len(blocks) - len(outcomes)))
        output, files = self._within_budget(self._join([outcome.text for outcome in outcomes]))
        return IPythonCodeResult(
            exit_code=outcomes[-1].exit_code if outcomes else 0,
            output=output,
            output_files=[*(file for outcome in outcomes for file in outcome.files), *files],
            cells=cells,
        )

    async def _run_block(self, block: CodeBlock, deadline: Deadline) -> _BlockOutcome:
        kernel_language = self._session.kernel.language
        try:
            check_code(block.code)
            code = to_cell(block.code, block.language, kernel_language)
        except ConfigError as error:
            cell = CellResult(CellStatus.NOT_RUN, cause=str(error), generation=self._session.generation)
            return _BlockOutcome(cell, str(error), [], 1)
        if deadline.passed:
            cell = CellResult(
                CellStatus.TIMEOUT,
                cause=f"Timeout: no time was left of {deadline.timeout:g} s, so this block did not run.",
            )
        else:
            cell = await self._session.run(code, timeout=deadline.left, on_output=self._on_output)
        cell, exit_code = shell_outcome(cell, block.language)
        if self._journal is not None:
            source = notebook_source(block.code, block.language, kernel_language)
            cell = await asyncio.to_thread(_recorded, self._journal, source, block.language, cell)
        rendered = await self._render(cell)
        return _BlockOutcome(cell, rendered.text, rendered.files, exit_code)

    async def _render(self, cell: CellResult) -> Rendered:
        if _is_small(cell):
            return render_cell(cell, self._sink)
        return await asyncio.to_thread(render_cell, cell, self._sink)

    def _within_budget(self, text: str) -> tuple[str, list[str]]:
        if self._budget is None or len(text) <= self._budget:
            return text, []
        try:
            whole = self._sink.save(text.encode("utf-8", "replace"), ".txt")
        except OSError:
            return apply_budget(text, self._budget), []  # the sentence then says that the rest is nowhere
        return apply_budget(text, self._budget, whole or ""), [whole] if whole else []


def _recorded(journal: Journal, source: str, language: str, cell: CellResult) -> CellResult:
    """The result; it says so if the journal could not be told of it, which takes nothing from what the block did."""
    try:
        journal.record(source, language, cell)
    except (ConfigError, OSError) as error:
        return replace(cell, cause=f"{cell.cause} The journal does not have this block: {error}".lstrip())
    return cell


def _is_small(cell: CellResult) -> bool:
    """Whether a result is text that takes no time to render and needs no file."""
    return all(_small_text(output) for output in cell.outputs)


def _small_text(output: Output) -> bool:
    match output:
        case StreamOutput(text=text):
            return len(text) < _RENDER_HERE
        case DisplayOutput(data=data) | ResultOutput(data=data):
            return data.keys() <= {"text/plain"} and len(str(data.get("text/plain", ""))) < _RENDER_HERE
        case _:
            return True
