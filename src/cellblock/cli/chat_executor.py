"""The executor of a chat on the command line: it asks, shows and writes down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock.cli.chat_approval import approved
from cellblock.coding.base import CodeBlock, IPythonCodeResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock.cli.chat_record import ChatRecord
    from cellblock.cli.chat_view import ChatView
    from cellblock.coding.jupyter import JupyterCodeExecutor
    from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor

__all__ = ["ChatExecutor"]

_SKIPPED = "[The user skipped this block.]"
_CHANGED = "[The user changed this block before it ran, to:]\n{code}\n[It showed:]\n"


class ChatExecutor:
    """Runs blocks on another executor.

    Args:
        executor: Runs them.
        view: Where their outcome is shown.
        record: Where it is written down.
        ask: Asks a person before each block, with a question; None for no questions.
    """

    def __init__(
        self,
        executor: JupyterCodeExecutor,
        view: ChatView,
        record: ChatRecord,
        ask: Callable[[str], str] | None,
    ) -> None:
        self._executor, self._view, self._record, self._ask = executor, view, record, ask

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
        if self._ask is None:
            return self._run(code_blocks)
        results: list[IPythonCodeResult] = []
        for number, block in enumerate(code_blocks, start=1):
            chosen = approved(block, self._ask, number=number, of=len(code_blocks))
            results.append(self._run_chosen(chosen, block))
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

    def _run_chosen(self, chosen: CodeBlock | None, block: CodeBlock) -> IPythonCodeResult:
        if chosen is None:
            return IPythonCodeResult(exit_code=0, output=_SKIPPED)
        result = self._run([chosen])
        if chosen.code != block.code:
            result.output = _CHANGED.format(code=chosen.code) + result.output
        return result

    def _run(self, blocks: list[CodeBlock]) -> IPythonCodeResult:
        result = self._executor.execute_code_blocks(blocks)
        self._view.outcome(result)
        self._record.add_cells(blocks, result.cells)
        return result
