"""The state machine of one cell: it is fed messages, gives outputs, and knows when the cell is over.

Rules of this file:

1. A cell is over when its reply and its idle have both come, in either order. Through Jupyter servers the reply overtakes
   outputs in a good part of all cells, so neither alone will do.
2. A message belongs to the cell if its parent is the cell's request; nothing else is looked at.
3. Every legal move is in ``_MOVES``; what is not there changes nothing (repeated and reordered messages are legal on a
   connection that was cut and resumed).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from cellblock._core.messages import Message, MessageNumber
from cellblock._core.outputs import ClearOutput, DisplayOutput, ErrorOutput, Output, ResultOutput, StreamOutput
from cellblock._core.results import CellStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Execution", "Phase", "output_of"]


class Phase(Enum):
    """Where a cell is."""

    SENT = auto()
    RUNNING = auto()
    REPLIED = auto()  # the reply has come, idle has not
    IDLED = auto()  # idle has come, the reply has not
    OVER = auto()


class _Event(Enum):
    BUSY = auto()
    REPLY = auto()
    IDLE = auto()
    FENCE = auto()  # the kernel has finished a later request: what has not come by now was lost


_MOVES: Mapping[tuple[Phase, _Event], Phase] = {
    (Phase.SENT, _Event.BUSY): Phase.RUNNING,
    (Phase.SENT, _Event.REPLY): Phase.REPLIED,
    (Phase.SENT, _Event.IDLE): Phase.IDLED,
    (Phase.SENT, _Event.FENCE): Phase.OVER,
    (Phase.RUNNING, _Event.REPLY): Phase.REPLIED,
    (Phase.RUNNING, _Event.IDLE): Phase.IDLED,
    (Phase.RUNNING, _Event.FENCE): Phase.OVER,
    (Phase.REPLIED, _Event.IDLE): Phase.OVER,
    (Phase.REPLIED, _Event.FENCE): Phase.OVER,
    (Phase.IDLED, _Event.REPLY): Phase.OVER,
    (Phase.IDLED, _Event.FENCE): Phase.OVER,
}


class Execution:
    """One cell, from its request to its end.

    Args:
        request: The ``execute_request`` that was (or is about to be) sent.
    """

    def __init__(self, request: Message) -> None:
        self.request_id = request.msg_id
        self.phase = Phase.SENT
        self.execution_count: int | None = None
        self._shown_error: ErrorOutput | None = None
        self.reply: dict[str, Any] = {}
        self.server_dropped = False
        self._replied_by = ""
        self._lost_idle = self._lost_reply = False
        self._count = _Count(str(request.header["session"]))

    @property
    def over(self) -> bool:
        """Whether the cell has ended and all its messages that come in order have come."""
        return self.phase is Phase.OVER

    @property
    def half_over(self) -> bool:
        """Whether one of reply and idle has come and the other has not."""
        return self.phase in (Phase.REPLIED, Phase.IDLED)

    @property
    def status(self) -> CellStatus:
        """How the cell ended by itself; meaningful once it is over."""
        # Where the reply was lost the cell may have failed, or not even begun: that is no success.
        said = self.reply.get("status", "error")
        if said == "aborted":
            return CellStatus.NOT_RUN
        return CellStatus.ERROR if said == "error" else CellStatus.OK

    @property
    def error(self) -> ErrorOutput | None:
        """The exception that ended the cell, if one did."""
        return self._shown_error if self.status is CellStatus.ERROR else None

    @property
    def missing(self) -> int:
        """Messages the kernel sent between this cell's busy and idle that have not come, as far as they are counted."""
        # A reply or an idle that did not come is one of those counted, where counting is possible.
        return self._count.missing or self._lost_idle + self._lost_reply

    @property
    def counted(self) -> bool:
        """Whether ``missing`` is exact: the kernel numbers its messages, and the first and the last numbers are known."""
        return self._count.closed

    @property
    def process(self) -> str:
        """The sender of the cell's messages: another than in the cell before is another process; empty if not known."""
        return self._count.sender or self._replied_by

    @property
    def unanswered(self) -> bool:
        """Whether the cell is over without the kernel's word on how it ended."""
        return self._lost_reply

    @property
    def asks_exit(self) -> bool:
        """Whether the code called ``exit()`` or ``quit()``: the kernel ends itself shortly after the reply."""
        payloads = self.reply.get("payload")
        return isinstance(payloads, list) and any(
            p.get("source") == "ask_exit" and not p.get("keepkernel") for p in payloads if isinstance(p, dict)
        )

    def receive(self, message: Message) -> Output | None:
        """Takes any message of the kernel's connection.

        Args:
            message: Of this cell or not; others only help to count what is missing.

        Returns:
            What the message shows, if it is an output of this cell.
        """
        mine = message.parent_id == self.request_id
        self._count.see(message, mine=mine)
        if not mine:
            return None
        kind, content = message.msg_type, message.content
        if kind == "status":
            self._take_status(message)
        elif kind == "execute_reply":
            number = MessageNumber.of(message.msg_id)
            self._replied_by = number.sender if number else ""
            return self._take_reply(content)
        elif kind == "execute_input":
            self._take_count(content)
        output = output_of(message)
        if isinstance(output, ErrorOutput):
            self._shown_error = output
        elif isinstance(output, ResultOutput):
            self._take_count(content)
        elif isinstance(output, StreamOutput) and _is_rate_warning(message, output, self._count.sender):
            self.server_dropped = True
        return output

    def fence(self, *, heard: bool) -> None:
        """What is missing now will not come.

        Args:
            heard: Whether the kernel has answered a request sent after this cell and all that it published for it has come,
                so that the numbers up to there tell how much of this cell has not.
        """
        if heard:
            self._count.close()
        self._lost_idle = self.phase in (Phase.SENT, Phase.RUNNING, Phase.REPLIED)
        self._lost_reply = self.phase in (Phase.SENT, Phase.RUNNING, Phase.IDLED)
        self._move(_Event.FENCE)

    def _take_status(self, message: Message) -> None:
        state = message.content.get("execution_state")
        if state == "busy":
            self._move(_Event.BUSY)
            self._count.begin(message)
        elif state == "idle":
            self._move(_Event.IDLE)
            self._count.end(message)

    def _take_reply(self, content: dict[str, Any]) -> Output | None:
        self.reply = content
        self._take_count(content)
        self._move(_Event.REPLY)
        if content.get("status") == "error" and self._shown_error is None:
            # Kernels repeat the error in the reply; it counts when the output itself was lost or is still on its way.
            self._shown_error = _error_of(content)
        return None

    def _take_count(self, content: dict[str, Any]) -> None:
        count = content.get("execution_count")
        if isinstance(count, int):
            self.execution_count = count

    def _move(self, event: _Event) -> None:
        self.phase = _MOVES.get((self.phase, event), self.phase)


class _Count:
    """Counts what arrives between a cell's busy and its idle, to tell how many messages were lost.

    ipykernel numbers everything it sends, over all channels, with one counter. Two kinds of number never reach us and are
    not lost: another client's replies (one for each foreign request whose statuses are seen), and the ``execute_result``
    that ipykernel prepares for an object which then displays itself: the number just before a display, once in a cell.
    And two threads of a kernel may draw the same number, after which one is passed over.
    """

    def __init__(self, own_session: str) -> None:
        self._own_session = own_session
        self._first: MessageNumber | None = None
        self._last: MessageNumber | None = None
        self._latest = 0  # the number on iopub last
        self._gaps: list[range] = []  # numbers that iopub went past
        self._elsewhere: set[int] = set()  # numbers seen on other channels, or out of order
        self._foreign: set[str] = set()
        self._before_displays: set[int] = set()

    @property
    def sender(self) -> str:
        return self._first.sender if self._first else ""

    def begin(self, busy: Message) -> None:
        if self._first is None:
            self._first = MessageNumber.of(busy.msg_id)
            self._latest = self._first.value if self._first else 0

    def end(self, idle: Message) -> None:
        if self._last is None:
            self._last = MessageNumber.of(idle.msg_id)

    def close(self) -> None:
        """The cell's own idle will not come; what iopub brought last came after it."""
        if self._last is None and self._first is not None:
            self._last = MessageNumber(self._first.sender, self._latest)

    @property
    def closed(self) -> bool:
        return self._first is not None and self._last is not None and self._first.sender == self._last.sender

    def see(self, message: Message, *, mine: bool) -> None:
        number = MessageNumber.of(message.msg_id)
        if number is None:
            return
        if message.channel != "iopub" or self._first is None:
            # A reply, or what another thread of the kernel says, may overtake the busy; whether it counts is decided by its
            # number at the end.
            self._elsewhere.add(number.value)
        elif number.sender == self._first.sender:
            self._see_iopub(number.value)
            if mine and message.msg_type == "display_data":
                self._before_displays.add(number.value - 1)
            if self._is_foreign_status(message):
                self._foreign.add(message.parent_id)

    def _see_iopub(self, value: int) -> None:
        if value > self._latest:
            if value > self._latest + 1:
                self._gaps.append(range(self._latest + 1, value))
            self._latest = value
        else:
            self._elsewhere.add(value)

    @property
    def missing(self) -> int:
        if self._first is None or self._last is None or not self.closed:
            return 0
        first, last = self._first.value, self._last.value
        twice = sum(first < value < last and not any(value in gap for gap in self._gaps) for value in self._elsewhere)
        missing, prepared = -len(self._foreign) - twice, False
        for gap in self._gaps:
            if gap.start >= last:
                continue
            left = len(gap) - sum(value in gap for value in self._elsewhere)
            if left == 1 and not prepared and gap[-1] in self._before_displays - self._elsewhere:
                prepared, left = True, 0
            missing += left
        return max(0, missing)

    def _is_foreign_status(self, message: Message) -> bool:
        return (
            message.msg_type == "status"
            and bool(message.parent_header)
            and message.parent_header.get("session") != self._own_session
        )


def output_of(message: Message) -> Output | None:
    """What a message shows, or None if it is no output.

    Args:
        message: Of any cell.
    """
    content = message.content
    match message.msg_type:
        case "stream":
            return StreamOutput("stderr" if content.get("name") == "stderr" else "stdout", str(content.get("text", "")))
        case "display_data" | "update_display_data":
            display_id = _mapping(content, "transient").get("display_id")
            return DisplayOutput(
                _mapping(content, "data"),
                _mapping(content, "metadata"),
                display_id=display_id if isinstance(display_id, str) else None,
                update=message.msg_type == "update_display_data",
            )
        case "execute_result":
            return ResultOutput(
                _mapping(content, "data"), _mapping(content, "metadata"), content.get("execution_count")
            )
        case "error":
            return _error_of(content)
        case "clear_output":
            return ClearOutput(wait=bool(content.get("wait")))
        case _:
            return None


def _mapping(content: dict[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def _error_of(content: dict[str, Any]) -> ErrorOutput:
    lines = content.get("traceback")
    traceback = tuple(map(str, lines)) if isinstance(lines, list) else ()
    return ErrorOutput(str(content.get("ename", "Error")), str(content.get("evalue", "")), traceback)


def _is_rate_warning(message: Message, output: StreamOutput, kernel: str) -> bool:
    """Whether this is a Jupyter server's own note that it drops output, which it sends in the kernel's name.

    Source: jupyter_server, ``services/kernels/connection/channels.py``, ``_limit_rate``.
    """
    if output.name != "stderr" or "IOPub" not in output.text or "rate exceeded" not in output.text:
        return False
    number = MessageNumber.of(message.msg_id)
    return not (number and kernel and number.sender == kernel)
