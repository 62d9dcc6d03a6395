"""A shell or a pip that ended with a status of its own, told as that and not as Python's exception about it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from cellblock._core.languages import SHELLS
from cellblock._core.outputs import ErrorOutput, StreamOutput
from cellblock._core.pip import MAGIC
from cellblock._core.results import CellResult, CellStatus

if TYPE_CHECKING:
    from cellblock._core.outputs import Output

__all__ = ["is_shell_failure", "shell_outcome"]

_EXIT_STATUS = re.compile(r"returned non-zero exit status (\d+)")
_SIGNAL = re.compile(r"died with (?:<Signals\.(\w+): \d+>|unknown signal (\d+))")
_NOT_FOUND = 127  # as a shell, for a command there is not
_ENDS = {
    "CalledProcessError",
    "KeyboardInterrupt",
    "ShellNotFound",
}  # what the call of a shell raises; see ``shell_cell``


def is_shell_failure(language: str, error: ErrorOutput) -> bool:
    """Whether a block's error only says how its shell, or the pip of a ``%pip`` line, ended.

    Args:
        language: The block's language, as written.
        error: What the block's cell raised.
    """
    if language.strip().lower() in SHELLS:
        return error.ename in _ENDS
    return error.ename == "CalledProcessError" and f"'{MAGIC}'" in error.evalue


def shell_outcome(result: CellResult, language: str) -> tuple[CellResult, int]:
    """The result and the exit code of a block; of a shell or a pip that failed, without the traceback of our own call.

    Args:
        result: What the block's cell came to.
        language: The block's language.
    """
    error, shell = result.error, SHELLS.get(language.strip().lower())
    if error is None:
        return _without_shell(result, shell)
    if not is_shell_failure(language, error):
        return result, result.exit_code
    if result.status in (CellStatus.TIMEOUT, CellStatus.INTERRUPTED):  # the result says so already
        return replace(result, outputs=_without(result, language), error=None), result.exit_code
    if result.status is not CellStatus.ERROR:
        return result, result.exit_code
    if error.ename == "ShellNotFound":
        return _failed(result, _without(result, language), _no_shell(shell)), _NOT_FOUND
    if found := _EXIT_STATUS.search(error.evalue):
        program = MAGIC if MAGIC in error.evalue else "The shell"
        sentence = f"{program} ended with exit status {found[1]}."
        return _failed(result, _without(result, language), sentence), int(found[1])
    if signal := _SIGNAL.search(error.evalue):
        sentence = f"The shell was ended by signal {signal[1] or signal[2]}."
        return _failed(result, _without(result, language), sentence), result.exit_code
    return result, result.exit_code


def _without_shell(result: CellResult, shell: str | None) -> tuple[CellResult, int]:
    """Of a ``%%bash`` cell, IPython says in one printed line that there is no such program, and calls it a success."""
    if shell is None or result.outputs != (StreamOutput("stdout", f"Couldn't find program: {shell!r}\n"),):
        return result, result.exit_code
    return _failed(result, (), _no_shell(shell)), _NOT_FOUND


def _no_shell(shell: str | None) -> str:
    return f"There is no {shell} where the kernel runs, so the block did not run."


def _without(result: CellResult, language: str) -> tuple[Output, ...]:
    # Any of them: a shell that takes its time to end is interrupted again, which is another error.
    return tuple(o for o in result.outputs if not (isinstance(o, ErrorOutput) and is_shell_failure(language, o)))


def _failed(result: CellResult, outputs: tuple[Output, ...], sentence: str) -> CellResult:
    cause = " ".join(part for part in (result.cause, sentence) if part)
    return replace(result, status=CellStatus.ERROR, outputs=outputs, error=None, cause=cause)
