"""The cell a session is running: what it has shown, what ended it, and who waits for it."""

from __future__ import annotations

import asyncio
import math
from enum import Enum, auto
from typing import TYPE_CHECKING

from cellblock._core.execution import Execution, Phase
from cellblock._core.last_words import read_last_words
from cellblock._core.output_log import OutputLog
from cellblock._core.outputs import ErrorOutput, Limits, Output, StreamOutput
from cellblock._core.results import CellStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock._core.messages import Message
    from cellblock.deadline import Deadline
    from cellblock.spool import FileSpool

__all__ = ["RunningCell", "Stop"]

_LOST_GRACE = 1.0  # seconds for the second of reply and idle
_SILENT_ANSWERS = 2  # after which a kernel is believed not to be heard any more


class Stop(Enum):
    """Why a cell is being stopped from outside."""

    DEADLINE = auto()
    INTERRUPT = auto()


class RunningCell:
    """One cell in flight. Fed by the session's reader, waited for by the session's ``run``.

    Args:
        request: Its ``execute_request``.
        deadline: Of the call.
        limits: Of its output.
        spool: For what the limits keep out of memory.
        on_output: Told of each output as it comes.

    Attributes:
        stop: Why it is being stopped, once it is.
        cancelled: Whether the waiting task was cancelled: the cell is stopped first, then the cancellation goes on.
        death: Why its kernel died or is out of reach, once it is.
        out_of_reach: Whether only the way to the kernel was lost, so that nobody knows of the cell's end and of the state.
        failure: What an output or input handler of the caller raised.
        left: Once it was given up and left in a kernel that is somebody else's, where it waits or runs on: a sentence for
            the result, after what happened.
        probe: Id of a request that only asks whether the kernel is there, and whether it has answered.
        lost: Characters that its kernel wrote before it died and that nobody has.
        ask_at: When to ask the kernel for what has not come, by the loop's clock: soon after only one of reply and idle came, and
            again soon after an answer that did not bring it.
    """

    def __init__(
        self,
        request: Message,
        deadline: Deadline,
        limits: Limits,
        spool: FileSpool,
        on_output: Callable[[Output], None] | None,
    ) -> None:
        self.execution = Execution(request)
        self.deadline = deadline
        self.spool = spool
        self.log = OutputLog(limits, spool)
        self.stop: Stop | None = None
        self.cancelled = False
        self.death: str | None = None
        self.out_of_reach = False
        self.left: str | None = None
        self.probe, self.answered = "", False
        self.failure: BaseException | None = None
        self.lost = 0
        self.ask_at = math.inf
        self.fences: dict[str, set[str]] = {}
        self.input_task: asyncio.Task[None] | None = None
        self._on_output = on_output
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asked = False
        self._silent_answers = 0
        self._error_shown = False
        self._received = {"stdout": 0, "stderr": 0}  # characters

    @property
    def finished(self) -> bool:
        """Whether nothing more can come of it."""
        return self.execution.over or self.death is not None or self.left is not None

    @property
    def waits(self) -> bool:
        """Whether the kernel has not begun with it, as far as is known."""
        return self.execution.phase is Phase.SENT

    @property
    def dropped(self) -> bool:
        """Whether the kernel has thrown it away without running it, as it does with what waits behind a cell that fails."""
        return self.stop is None and self.execution.over and self.execution.status is CellStatus.NOT_RUN

    @property
    def unheard(self) -> bool:
        """Whether the kernel has answered again and again and nothing that it publishes has come meanwhile."""
        return self._silent_answers >= _SILENT_ANSWERS

    @property
    def costs_kernel(self) -> bool:
        """Whether the kernel is gone, or about to be, because of this cell."""
        return self.death is not None or self.execution.asks_exit

    def begin_again(self, request: Message) -> None:
        """Forgets the request that was dropped.

        Args:
            request: The next, about to be sent.
        """
        self.execution = Execution(request)
        self.ask_at, self._asked, self._silent_answers = math.inf, False, 0

    def receive(self, message: Message) -> Output | None:
        """Takes a message of the kernel's connection and gives the cell's output in it, if there is one."""
        if message.channel == "iopub":
            self._silent_answers = 0
        output = self.execution.receive(message)
        if output is not None:
            self.show(output)
        elif message.parent_id in self.fences:
            self._take_fence(message)
        elif message.parent_id == self.probe:
            self.answered = True
            self.wake()
        if self.execution.over:
            self.wake()
        elif self.execution.half_over and not self._asked and math.isinf(self.ask_at):
            # The other half is next to come, mostly: nobody is woken for this one.
            self.ask_at = self._loop.time() + _LOST_GRACE
            self._wake_by(self.ask_at)
        return output

    def show(self, output: Output) -> None:
        """Keeps an output and passes it on."""
        self._error_shown |= isinstance(output, ErrorOutput)
        if isinstance(output, StreamOutput):
            self._received[output.name] += len(output.text)
        self.log.add(output)
        if self._on_output is None:
            return
        try:
            self._on_output(output)
        except BaseException as error:  # the caller's own function: it ends the cell and is raised to the caller
            self._on_output = None
            self.fail(error)

    def show_lost_error(self) -> None:
        """Shows the error of the reply if the error itself never came as an output."""
        if self.execution.error is not None and not self._error_shown:
            self.show(self.execution.error)

    def close_spool(self) -> None:
        """Closes the file of the whole output; it is kept only if the outputs will name it."""
        self.spool.finish()
        if not self.log.location:
            self.spool.discard()

    def fail(self, error: BaseException) -> None:
        """Stops the cell because something of the caller's raised."""
        self.failure = self.failure or error
        self.request_stop(Stop.INTERRUPT)

    def request_stop(self, reason: Stop) -> None:
        """Asks the waiting ``run`` to stop the cell."""
        if not self.finished and self.stop is None:
            self.stop = reason
            self.wake()

    def die(self, cause: str, last_words: bytes = b"") -> None:
        """The kernel is gone and so is the cell.

        Args:
            cause: Why.
            last_words: What it wrote and could not send any more, as ``read_last_words`` takes it.
        """
        if not self.finished:
            self.death = cause
            for name, written in read_last_words(last_words, self.execution.request_id).items():
                received = self._received[name]
                if unsent := written.beyond(received):
                    self.lost += written.characters - received - len(unsent)
                    self.show(StreamOutput("stderr" if name == "stderr" else "stdout", unsent))
        self.wake()

    def lose_contact(self, cause: str) -> None:
        """The kernel cannot be reached any more, and the cell may still be running in it.

        Args:
            cause: Why.
        """
        if not self.finished:
            self.out_of_reach = True
            self.die(cause)

    def wake(self) -> None:
        """Lets whoever waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def changed(self, until: float = math.inf) -> None:
        """Waits for anything to happen, at most until a moment of the loop's clock. Remembers a cancellation."""
        self._waiter = self._loop.create_future()
        self._wake_by(until)
        try:
            await self._waiter
        except asyncio.CancelledError:
            self.cancelled = True
            self.stop = self.stop or Stop.INTERRUPT
        finally:
            self._waiter = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def must_ask(self) -> bool:
        """Whether the kernel is to be asked now for what has not come; true once until it has answered."""
        if self.finished or self._loop.time() < self.ask_at:
            return False
        self._asked, self.ask_at = True, math.inf
        return True

    async def answered_within(self, seconds: float) -> bool:
        """Waits for the answer to the probe at most so long, and tells whether it came."""
        await self._within(seconds, lambda: self.answered or self.finished)
        return self.answered

    async def finished_within(self, seconds: float) -> bool:
        """Waits for the end at most so long, and tells whether it came."""
        await self._within(seconds, lambda: self.finished)
        return self.finished

    async def _within(self, seconds: float, happened: Callable[[], bool]) -> None:
        until = self._loop.time() + seconds
        while not happened() and self._loop.time() < until:
            await self.changed(until)

    def _wake_by(self, moment: float) -> None:
        """Sets the timer of whoever waits, unless it is set to an earlier moment."""
        if self._waiter is None or math.isinf(moment):
            return
        if self._timer is not None:
            if self._timer.when() <= moment:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(moment, self.wake)

    def _take_fence(self, message: Message) -> None:
        """A fence is passed when both its reply and its idle have come."""
        seen = self.fences[message.parent_id]
        if message.msg_type == "status" and message.content.get("execution_state") == "idle":
            seen.add("idle")
        elif message.channel == "shell":
            seen.add("reply")
            self._silent_answers += 1
            self.ask_at = self._loop.time() + _LOST_GRACE
            self._wake_by(self.ask_at)
        if seen == {"idle", "reply"}:
            del self.fences[message.parent_id]
            if not self.execution.over:
                self.execution.fence(heard=True)
            self.wake()
