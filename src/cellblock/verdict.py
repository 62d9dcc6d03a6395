"""What a cell that is over came to, in the words of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock._core.results import CellResult, CellStatus
from cellblock.running_cell import Stop

if TYPE_CHECKING:
    from cellblock._core.execution import Execution
    from cellblock._core.outputs import Output
    from cellblock.deadline import Deadline
    from cellblock.running_cell import RunningCell

__all__ = ["not_begun", "verdict"]


_NOT_KNOWN = "Whether variables and imports are kept is not known: the next result says so if they are lost."
_LOST = "All variables and imports are lost."


def verdict(
    cell: RunningCell, *, generation: int, lost: str | None, late: tuple[Output, ...], is_ours: bool
) -> CellResult:
    """The result of a cell.

    Args:
        cell: It is over, or its kernel is gone.
        generation: Of the kernel that ran it.
        lost: Why the state of the kernel before it was lost, if nobody was told yet.
        late: What earlier cells showed after they were over.
        is_ours: Whether the kernel is, so that it is started again after its end.
    """
    execution = cell.execution
    status, causes = _status(cell), []
    if lost is not None:
        causes.append(f"Before this cell: {lost}")
    if status in (CellStatus.TIMEOUT, CellStatus.INTERRUPTED):
        causes.append(_stop_sentence(cell))
    elif status is CellStatus.DIED:
        causes.append(cell.death or "")
    elif status is CellStatus.NOT_RUN:
        causes.append(
            "The cell did not run: the kernel dropped it because a cell before it, such as another client's, failed."
        )
    elif execution.unanswered:
        causes.append("The kernel gave no answer to this cell, so whether its code succeeded is not known.")
    elif execution.asks_exit:
        causes.append("The code ended its kernel by calling exit().")
    return CellResult(
        status=status,
        outputs=cell.log.outputs(),
        late=late,
        error=execution.error,
        cause=" ".join(causes),
        state_kept=lost is None and not cell.costs_kernel,
        state_note=_state_note(cell, is_ours=is_ours) if lost is None else "",
        generation=generation,
        execution_count=execution.execution_count,
        missing=execution.missing,
        incomplete=_incomplete_sentence(cell),
        duration=cell.deadline.elapsed,
        user_expressions=execution.reply.get("user_expressions") or {},
    )


def not_begun(deadline: Deadline, why: str, *, generation: int) -> CellResult:
    """The result of a cell whose deadline passed before it could be sent.

    Args:
        deadline: Of the call.
        why: What it waited for, as the end of a sentence.
        generation: Of the session's kernel.
    """
    return CellResult(
        CellStatus.TIMEOUT,
        cause=f"Timeout: the cell did not begin within {_seconds(deadline)} s, because {why}.",
        generation=generation,
        duration=deadline.elapsed,
    )


def _status(cell: RunningCell) -> CellStatus:
    if cell.stop is not None:
        # Also when it ended without an exception: `!sleep 100` does when it is interrupted.
        return CellStatus.TIMEOUT if cell.stop is Stop.DEADLINE else CellStatus.INTERRUPTED
    return CellStatus.DIED if cell.death is not None else cell.execution.status


def _state_note(cell: RunningCell, *, is_ours: bool) -> str:
    """What there is to say instead of that the kernel was restarted."""
    if cell.out_of_reach:
        return _NOT_KNOWN
    return "" if is_ours else _LOST


def _stop_sentence(cell: RunningCell) -> str:
    if cell.out_of_reach and cell.stop is Stop.DEADLINE:
        return f"Timeout: the cell was given up after {_seconds(cell.deadline)} s. {cell.death}"
    if cell.left:
        return _left_sentence(cell)
    if cell.stop is Stop.DEADLINE:
        sentence = f"Timeout: the cell was stopped after {_seconds(cell.deadline)} s."
    else:
        sentence = "The cell was interrupted."
    return f"{sentence} {cell.death}" if cell.death else f"{sentence} Variables and imports are kept."


def _left_sentence(cell: RunningCell) -> str:
    by_deadline, seconds = cell.stop is Stop.DEADLINE, _seconds(cell.deadline)
    if cell.waits:
        what = f"Timeout: the cell did not begin within {seconds} s" if by_deadline else "The cell had not begun"
        return f"{what}, {cell.left}"
    what = f"Timeout: the cell was interrupted after {seconds} s" if by_deadline else "The cell was interrupted"
    return f"{what} {cell.left}"


def _incomplete_sentence(cell: RunningCell) -> str:
    execution = cell.execution
    parts = []
    missing = _missing_words(execution) if execution.missing else ""
    if execution.server_dropped:
        limit = "the Jupyter server limits the rate of output and dropped some"
        parts.append(
            f"The output is incomplete: {limit}{missing and f'; {missing}, and each can hold any amount of it'}."
        )
    elif missing and cell.death is None:
        parts.append(f"The output is incomplete: {missing}.")
    if cell.lost:
        parts.append(
            f"The output is incomplete: {cell.lost} characters that the kernel wrote before it died were lost."
        )
    if cell.spool.failure:
        parts.append(cell.spool.failure)
    return " ".join(parts)


def _missing_words(execution: Execution) -> str:
    number = f"{execution.missing} message{'' if execution.missing == 1 else 's'} of the kernel did not arrive"
    return number if execution.counted else f"at least {number}"


def _seconds(deadline: Deadline) -> str:
    return f"{round(deadline.timeout or 0, 3):g}"  # what is left of another deadline has many digits
