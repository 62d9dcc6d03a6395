"""The ladder: how a running cell is brought to its end, and how what it said and did not arrive is asked for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from cellblock.errors import CellblockError, TransportError

if TYPE_CHECKING:
    from cellblock._core.messages import Message, Requests
    from cellblock.connection import Connection
    from cellblock.running_cell import RunningCell

__all__ = ["Ladder"]

_FIRST_GRACE = 0.25  # seconds for a cell to end after the first interrupt
_INTERRUPT_WITHIN = 0.25  # seconds for a server to say that it has; one that is slower obeys all the same
_ANSWER_WITHIN = 1.0  # seconds for a kernel to answer on its control channel
_FENCE_WITHIN = 0.25  # seconds for a connection that dropped to be made again before a question is sent
_SECOND_GRACE = 1.0  # after the second, which comes with a request that wakes a kernel out of `await`
_READING_GRACE = 1.0  # for a cell that has ended, and said more before than has been read yet
_LOST_GRACE = 1.0  # for missing messages, once the kernel has been asked
_WAITS = "because another cell, such as another client's, is still running in the kernel, which runs this one when that is over."
_NO_ANSWER = "because the kernel does not answer: another cell is still running in it, or it cannot be reached."
_GOES_ON = "and has not stopped. The kernel is somebody else's, so it is left as it is, and the cell goes on."
_UNHEARD = "The kernel answers, but what it shows does not arrive any more"


class Ladder:
    """Brings the cells of one session to their end.

    Args:
        connection: The session's way to its kernel.
        requests: Makes the session's messages.
    """

    def __init__(self, connection: Connection, requests: Requests) -> None:
        self._connection = connection
        self._requests = requests

    async def until_over(self, cell: RunningCell) -> None:
        """Waits for the end or the deadline; when only one of reply and idle has come, not for ever."""
        await cell.changed(min(cell.deadline.at, cell.ask_at))
        if cell.stop is None and cell.must_ask():
            if cell.unheard:
                self._give_up_unheard(cell)
            else:
                await self._fence(cell)

    async def stop(self, cell: RunningCell) -> None:
        """Interrupts, interrupts again and wakes the kernel, kills. Each step is checked and has its grace.

        One SIGINT does not end all cells: ``await asyncio.sleep`` notices it only when the kernel's loop next wakes, which
        any request on the shell channel makes it do; a loop may swallow KeyboardInterrupt; C code may not look. A cell whose
        reply has come has ended, however much of its output is still on the way.

        In a kernel that is somebody else's, only a cell of ours that has begun is interrupted, and nothing is killed.
        """
        is_ours = self._connection.kernel.is_ours
        if cell.waits and not is_ours:
            why = _WAITS if await self._is_there(cell) else _NO_ANSWER
            if cell.waits:
                cell.left = why
                return
        interrupts: list[asyncio.Task[bool]] = []
        try:
            await self._begin_interrupt(interrupts)
            if await cell.finished_within(_FIRST_GRACE):
                return
            await self._begin_interrupt(interrupts)
            await self._fence(cell)
            if await cell.finished_within(_SECOND_GRACE):
                return
            reached = any(interrupt.done() and interrupt.result() for interrupt in interrupts)
        finally:
            for interrupt in interrupts:
                interrupt.cancel()
        if cell.execution.half_over:
            if not await cell.finished_within(_READING_GRACE):
                if cell.unheard:
                    self._give_up_unheard(cell)
                else:
                    cell.execution.fence(heard=False)
            return
        if reached and not is_ours:
            cell.left = _GOES_ON
        elif reached:
            cell.die("It did not stop when interrupted, so its kernel was killed.")
        else:
            cell.lose_contact("Its kernel cannot be reached to stop it, so it may still be running.")

    async def settle(self, cell: RunningCell) -> None:
        """Gives messages that are counted but have not come a last chance: they may be on their way on another channel."""
        if cell.death is not None or cell.left is not None or not cell.execution.missing:
            return
        await self._fence(cell)
        until = asyncio.get_running_loop().time() + _LOST_GRACE
        while cell.fences and cell.execution.missing and asyncio.get_running_loop().time() < until:
            await cell.changed(until)

    def _give_up_unheard(self, cell: RunningCell) -> None:
        if self._connection.kernel.is_ours:
            cell.die(f"{_UNHEARD}, so it was killed.")
        else:
            cell.lose_contact(f"{_UNHEARD}, so the connection was given up.")

    async def interrupt(self) -> bool:
        """Interrupts the kernel, and tells whether it, or who runs it, could be told."""
        try:
            await self._connection.kernel.interrupt()
        except CellblockError:
            return False
        return True

    async def _begin_interrupt(self, interrupts: list[asyncio.Task[bool]]) -> None:
        """Waits only so long for the interrupt to be confirmed; it goes on, and is one of those given."""
        interrupts.append(asyncio.create_task(self.interrupt()))
        await asyncio.wait(interrupts[-1:], timeout=_INTERRUPT_WITHIN)

    async def _fence(self, cell: RunningCell) -> None:
        """Asks the kernel for anything: when it has answered, whatever of the cell has not come never will."""
        request = self._requests.make("kernel_info_request", {})
        cell.fences[request.msg_id] = set()
        await self._ask(request)

    async def _is_there(self, cell: RunningCell) -> bool:
        """Asks on the channel that kernels answer while a cell runs."""
        request = self._requests.make("kernel_info_request", {}, channel="control")
        cell.probe = request.msg_id
        await self._ask(request)
        return await cell.answered_within(_ANSWER_WITHIN)

    async def _ask(self, request: Message) -> None:
        with contextlib.suppress(TransportError, TimeoutError):
            async with asyncio.timeout(_FENCE_WITHIN):
                await self._connection.send(request)
