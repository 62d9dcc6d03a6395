"""A shell that ended with a status of its own, told as that and not as Python's exception about it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from cellblock._core.languages import SHELLS, is_shell_failure
from cellblock._core.outputs import StreamOutput
from cellblock._core.results import CellResult, CellStatus

if TYPE_CHECKING:
    from cellblock._core.outputs import Output

__all__ = ["shell_outcome"]

_EXIT_STATUS = re.compile(r"returned non-zero exit status (\d+)")
_NOT_FOUND = 127  # as a shell, for a command there is not


def shell_outcome(result: CellResult, language: str) -> tuple[CellResult, int]:
    """The result and the exit code of a block; of a shell block that failed, without the traceback of our own call.

    Args:
        result: What the block's cell came to.
        language: The block's language.
    """
    error = result.error
    if error is None:
        return _without_shell(result, SHELLS.get(language.strip().lower()))
    found = _EXIT_STATUS.search(error.evalue)
    if result.status is not CellStatus.ERROR or not is_shell_failure(language, error.ename) or found is None:
        return result, result.exit_code  # of one that ended by a signal, the exception has the words for it
    outputs = tuple(output for output in result.outputs if output != error)
    return _failed(result, outputs, f"The shell ended with exit status {found[1]}."), int(found[1])


def _without_shell(result: CellResult, shell: str | None) -> tuple[CellResult, int]:
    """IPython says in one printed line that there is no such program, and calls the cell a success."""
    if shell is None or result.outputs != (StreamOutput("stdout", f"Couldn't find program: {shell!r}\n"),):
        return result, result.exit_code
    return _failed(result, (), f"There is no {shell} where the kernel runs, so the block did not run."), _NOT_FOUND


def _failed(result: CellResult, outputs: tuple[Output, ...], sentence: str) -> CellResult:
    cause = " ".join(part for part in (result.cause, sentence) if part)
    return replace(result, status=CellStatus.ERROR, outputs=outputs, error=None, cause=cause)
