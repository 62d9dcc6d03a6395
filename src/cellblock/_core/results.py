"""What running one cell came to: its status, its outputs, and the truth about the kernel's state."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cellblock.errors import CellError, CellInterrupted, CellTimeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock._core.outputs import ErrorOutput, Output

__all__ = ["CellResult", "CellStatus"]


class CellStatus(StrEnum):
    """How a cell ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    DIED = "died"
    NOT_RUN = "not_run"


_EXIT_CODES = {
    CellStatus.OK: 0,
    CellStatus.ERROR: 1,
    CellStatus.TIMEOUT: 124,  # as timeout(1)
    CellStatus.INTERRUPTED: 130,  # as a shell, for SIGINT
    CellStatus.DIED: 137,  # as a shell, for SIGKILL
    CellStatus.NOT_RUN: 1,
}


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one cell came to.

    Attributes:
        status: How it ended.
        outputs: What it showed, in order.
        late: What earlier cells showed after they were over (background threads), since the last result.
        error: The exception that ended it, if one did.
        cause: For a cell that did not end by itself: a sentence that says why ("The cell was stopped after 2 s."). Also what
            went wrong around a cell, such as a journal that could not be written.
        state_kept: Whether the kernel's variables and imports are known to be still there.
        state_note: What is to be said where they are not, if it is something else than that the kernel was restarted.
        generation: Which kernel of the session ran it: 1, then one more for each restart.
        execution_count: The cell's number in its kernel, as in ``In [3]``.
        missing: Messages of this cell that the kernel sent and that never came; 0 as far as is known.
        incomplete: Why the outputs may be incomplete, as a sentence; empty when they are complete.
        duration: Seconds from the call to its return, waiting in the queue included.
        user_expressions: Values of the request's ``user_expressions``.
    """

    status: CellStatus
    outputs: tuple[Output, ...] = ()
    late: tuple[Output, ...] = ()
    error: ErrorOutput | None = None
    cause: str = ""
    state_kept: bool = True
    state_note: str = ""
    generation: int = 1
    execution_count: int | None = None
    missing: int = 0
    incomplete: str = ""
    duration: float = 0.0
    user_expressions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the cell ran to its end without an exception."""
        return self.status is CellStatus.OK

    @property
    def exit_code(self) -> int:
        """0 ok, 1 the code raised or did not run, 124 timed out, 130 interrupted, 137 the kernel died."""
        return _EXIT_CODES[self.status]

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain sentences a reader must know beside the outputs: why it ended, what is missing, whether state was lost."""
        restarted = "The kernel was restarted: all variables and imports were lost."
        state = "" if self.state_kept else self.state_note or restarted
        return tuple(note for note in (self.cause, self.incomplete, state) if note)

    @property
    def text(self) -> str:
        """The outputs and the notes as plain text, with no files saved and no limit on the length."""
        from cellblock._core.render import render_cell

        return render_cell(self).text

    def raise_for_error(self) -> CellResult:
        """Gives the result itself if the cell succeeded.

        Raises:
            CellError: The code raised, did not run, or its kernel died.
            CellTimeout: It ran into its deadline.
            CellInterrupted: It was interrupted.
        """
        if self.ok:
            return self
        kind = {CellStatus.TIMEOUT: CellTimeout, CellStatus.INTERRUPTED: CellInterrupted}.get(self.status, CellError)
        what = f"{self.error.ename}: {self.error.evalue}" if self.error else ""
        raise kind(" ".join(part for part in (what, *self.notes) if part) or "The cell did not run.")
