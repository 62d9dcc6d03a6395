"""The executor of a chat on the command line: it asks, shows and writes down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock.cli.chat_approval import decide
from cellblock.cli.chat_decisions import Changed, Decision, Skipped, Stopped
from cellblock.coding.base import CodeBlock, IPythonCodeResult
from cellblock.errors import CellblockError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock.cli.chat_record import ChatRecord
    from cellblock.cli.chat_script import ChatScript
    from cellblock.cli.chat_view import ChatView
    from cellblock.coding.jupyter import JupyterCodeExecutor
    from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor

__all__ = ["ChatExecutor", "ChatStopped"]

_SKIPPED = "[The user skipped this block.]"
_CHANGED = "[The user changed this block before it ran, to:]\n{code}\n[It showed:]\n"


class ChatStopped(CellblockError):
    """The person ended the chat."""


class ChatExecutor:
    """Runs blocks on another executor.

    Args:
        executor: Runs them.
        view: Where their outcome is shown.
        record: Where it is written down, and what was decided about the blocks.
        script: Knows what was decided about a recorded message's blocks when it was said first.
        ask: Asks a person before each block, with a question; None for no questions.
    """

    def __init__(
        self,
        executor: JupyterCodeExecutor,
        view: ChatView,
        record: ChatRecord,
        script: ChatScript,
        ask: Callable[[str], str] | None,
    ) -> None:
        self._executor, self._view, self._record, self._script, self._ask = executor, view, record, script, ask

    @property
    def code_extractor(self) -> MarkdownCodeExtractor:
        """How blocks are found in a message."""
        return self._executor.code_extractor

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> IPythonCodeResult:
        """Runs the blocks in order and stops after the first that fails.

        Args:
            code_blocks: What to run.

        Raises:
            ChatStopped: The person ended the chat.
        """
        numbers = range(1, len(code_blocks) + 1)
        if self._ask is None and not any(self._script.decision(number) for number in numbers):
            return self._run(code_blocks)
        results: list[IPythonCodeResult] = []
        for number, block in zip(numbers, code_blocks, strict=True):
            results.append(self._run_decided(self._decision(block, number, len(code_blocks)), block, number))
            if results[-1].exit_code:
                break
        return IPythonCodeResult(
            exit_code=results[-1].exit_code,
            output="\n".join(result.output for result in results),
            output_files=[file for result in results for file in result.output_files],
            cells=tuple(cell for result in results for cell in result.cells),
        )

    def restart(self) -> None:
        """Starts the kernel afresh."""
        self._executor.restart()

    def _decision(self, block: CodeBlock, number: int, of: int) -> Decision | None:
        """What was decided when the block was written, or is decided now; only a chat that was stopped can be gone on with."""
        recorded = self._script.decision(number)
        if self._ask is None or isinstance(recorded, Changed | Skipped):
            return recorded
        return decide(block, self._ask, number=number, of=of)

    def _run_decided(self, decision: Decision | None, block: CodeBlock, number: int) -> IPythonCodeResult:
        if decision is not None:
            self._record.add_decision(number, decision, block.language)
        match decision:
            case None:
                return self._run([block])
            case Skipped():
                return IPythonCodeResult(exit_code=0, output=_SKIPPED)
            case Stopped():
                raise ChatStopped("The chat was stopped before the block ran.")
            case Changed(code):
                result = self._run([CodeBlock(code=code, language=block.language)])
                result.output = _CHANGED.format(code=code) + result.output
                return result

    def _run(self, blocks: list[CodeBlock]) -> IPythonCodeResult:
        result = self._executor.execute_code_blocks(blocks)
        self._view.outcome(result)
        self._record.add_cells(blocks, result.cells)
        return result
