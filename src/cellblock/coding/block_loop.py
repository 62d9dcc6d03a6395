"""What both command line executors do with blocks: each becomes a file, and is run or only saved."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cellblock.coding.base import CodeBlock, CommandLineCodeResult
from cellblock.coding.block_files import BlockFileError, readable_output, silence_pip, write_block
from cellblock.coding.languages import EXECUTION_POLICY, language_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["BlockLoop"]


@dataclass
class BlockLoop:
    """Runs blocks in order, until one fails.

    Attributes:
        work_dir: Where the files go.
        policies: By language, whether its blocks are run.
        run: Runs a file: gets its language, its absolute path and the seconds left; gives an exit code and what was printed.
        shown_path: A file's path as results have it.
        unknown_language: What is printed for a language that is not known.
        check: Raises for a block that must not be run; gets its language and its source.
    """

    work_dir: Path
    policies: Mapping[str, bool]
    run: Callable[[str, Path, float], tuple[int, str]]
    shown_path: Callable[[Path], str]
    unknown_language: str
    check: Callable[[str, str], None]
    _files: list[Path] = field(default_factory=list, init=False)

    def execute(self, blocks: list[CodeBlock], timeout: float) -> CommandLineCodeResult:
        """What the blocks came to.

        Args:
            blocks: What to run.
            timeout: Seconds for all of them together.
        """
        deadline = time.monotonic() + timeout
        exit_code, output = 0, ""
        for block in blocks:
            exit_code, text = self._execute_one(block, deadline)
            output += text
            if exit_code != 0:
                break
        return CommandLineCodeResult(
            exit_code=exit_code,
            output=readable_output(output, self.work_dir),
            code_file=self.shown_path(self._files[0]) if self._files else None,
        )

    def _execute_one(self, block: CodeBlock, deadline: float) -> tuple[int, str]:
        language = language_of(block.language)
        self.check(language, block.code)
        if language not in EXECUTION_POLICY:
            return 1, self.unknown_language.format(language)
        try:
            file = write_block(silence_pip(block.code, language), language, self.work_dir)
        except BlockFileError as error:
            return 1, str(error)
        self._files.append(file)
        if not self.policies.get(language, False):
            return 0, f"Code saved to {self.shown_path(file)}\n"
        return self.run(language, file, deadline - time.monotonic())
