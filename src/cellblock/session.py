"""A session: one live kernel, one cell at a time. Deadlines, interrupts, restarts and limits are decided here.

How a cell ends, whatever it does:

* by itself: its reply and its idle have come;
* at its deadline, by ``interrupt()``, or because the caller was cancelled: the ladder (see ``Ladder``);
* with its kernel: the process or the server says so, and what was on its way is read first.

The call returns once one of these has happened, and says which.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Literal, Self

from cellblock._core.messages import Message, Requests
from cellblock._core.output_log import OutputLog
from cellblock._core.outputs import Limits, Output
from cellblock.connection import Connection
from cellblock.deadline import Deadline, checked_timeout
from cellblock.errors import ConfigError, SessionClosed, StartupCodeFailed, TransportError
from cellblock.ladder import Ladder
from cellblock.questions import InputHandler, answer
from cellblock.running_cell import RunningCell, Stop
from cellblock.spool import FileSpool
from cellblock.verdict import not_begun, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cellblock._core.results import CellResult
    from cellblock.kernels import Kernel
    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.stream import CellStream

__all__ = ["AsyncSession", "InputHandler", "Status"]

Status = Literal["starting", "idle", "busy", "dead", "closed"]

_LATE_LIMITS = Limits(memory=1024 * 1024, spool=0)


class AsyncSession:
    """One kernel with its variables, running one cell at a time.

    Use it as ``async with AsyncSession() as session``, or call ``close()``. The kernel starts with the first cell, or with
    ``start()``. Concurrent calls queue in order.

    Args:
        kernel: What runs the cells; by default a kernel of this process, made from the next four arguments.
        kernel_name: The kernelspec's name.
        cwd: The kernel's working directory; the caller's if not given.
        env: Environment variables set in the kernel beside the caller's.
        sandbox: What confines the kernel; without one the code has the rights of this process.
        timeout: Seconds each call may take, waiting and starting included, unless the call says otherwise; None for ever.
        input_handler: Answers ``input()``; without one it raises in the cell at once.
        limits: How much output of a cell is kept.
        spool_dir: Where the whole of an output goes that is too large for memory.
        startup_code: A cell that every fresh kernel runs before any other.

    Raises:
        ConfigError: An argument cannot be used.
        KernelSpecNotFound: There is no kernelspec of that name.
    """

    def __init__(
        self,
        kernel: Kernel | None = None,
        *,
        kernel_name: str = "python3",
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        sandbox: Sandbox | None = None,
        timeout: float | None = 60.0,
        input_handler: InputHandler | None = None,
        limits: Limits | None = None,
        spool_dir: Path | None = None,
        startup_code: str | None = None,
    ) -> None:
        self._timeout = checked_timeout(timeout)
        if kernel is None:
            from cellblock.kernels.local import LocalKernel

            kernel = LocalKernel(kernel_name, cwd=cwd, env=env, sandbox=sandbox)
        elif cwd is not None or env is not None or sandbox is not None:
            raise ConfigError(
                "cwd, env and sandbox belong to the kernel: give them to the kernel passed to the session."
            )
        self.kernel = kernel
        self._input_handler = input_handler
        self._limits = limits or Limits()
        self._spool_dir = spool_dir
        self._startup_code = startup_code
        self._prepared = 0  # the generation that has run it
        self._left_running = 0  # the generation that may still run a cell we had to give up
        self._requests = Requests()
        self._turn = asyncio.Lock()
        self._owner = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None  # the one it was first used in
        self._closed = False
        self._connection = Connection(kernel, on_message=self._take, on_end=self._on_kernel_end)
        self._ladder = Ladder(self._connection, self._requests)
        self._cell: RunningCell | None = None
        self._late = OutputLog(_LATE_LIMITS)

    @property
    def generation(self) -> int:
        """Which kernel this is: 1, then one more for each restart; 0 before the first start."""
        return self._connection.generation

    @property
    def status(self) -> Status:
        """What the session is doing: "dead" has no kernel now, the next call starts one."""
        if self._closed:
            return "closed"
        if self._cell is not None:
            return "busy"
        if self._connection.live:
            return "idle"
        return "starting" if self._connection.starting or self.generation == 0 else "dead"

    async def start(self, *, timeout: float | None = None) -> None:
        """Starts the kernel if it is not running.

        Args:
            timeout: Seconds it may take; the session's if not given.

        Raises:
            StartError: The kernel did not start.
            TransportError: It could not be reached.
            TimeoutError: It was not ready in time.
            SessionClosed: The session was closed.
        """
        deadline = self._deadline(timeout)
        async with deadline.enforced("The kernel was not ready"), self._turn:
            await self._ready(deadline)

    async def run(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: Callable[[Output], None] | None = None,
        user_expressions: Mapping[str, str] | None = None,
    ) -> CellResult:
        """Runs one cell and gives what it came to, however it ended.

        Args:
            code: The source, as a notebook's cell: magics, ``!commands`` and top-level ``await`` work.
            timeout: Seconds the call may take; the session's if not given.
            on_output: Told of each output as it comes, in the event loop's thread; must not block.
            user_expressions: Expressions evaluated after the code; their values come with the result.

        Raises:
            ConfigError: The code or the timeout cannot be used.
            StartError: The kernel did not start.
            TransportError: The kernel cannot be reached.
            SessionClosed: The session was closed.
        """
        request = self._requests.execute(
            code, allow_stdin=self._input_handler is not None, user_expressions=dict(user_expressions or {})
        )
        deadline = self._deadline(timeout)
        has_turn = False
        try:
            try:
                async with asyncio.timeout_at(deadline.when):
                    has_turn = await self._turn.acquire()
                    await self._ready(deadline)
            except TimeoutError:
                why = "the kernel was not ready" if has_turn else "other cells of this session were still running"
                return not_begun(deadline, why, generation=self.generation)
            return await self._run_cell(request, deadline, on_output)
        finally:
            if has_turn:
                self._turn.release()

    def stream(self, code: str, *, timeout: float | None = None) -> CellStream:
        """The outputs of a cell as they come: ``async for output in session.stream(code)``.

        Leaving the loop early interrupts the cell. Afterwards ``result`` of the stream is the cell's result.

        Args:
            code: The source.
            timeout: Seconds the cell may take; the session's if not given.
        """
        from cellblock.stream import CellStream

        return CellStream(self, code, timeout)

    async def interrupt(self) -> None:
        """Stops the running cell, which then ends as interrupted; does nothing when none is running.

        A cell that does not let itself be interrupted costs the kernel: its result says so.
        """
        self._check_usable()
        if self._cell is not None:
            self._cell.request_stop(Stop.INTERRUPT)

    async def restart(self, *, timeout: float | None = None) -> None:
        """Starts afresh with no variables; a running cell is stopped first.

        Args:
            timeout: Seconds it may take; the session's if not given.

        Raises:
            StartError: The kernel did not start.
            TimeoutError: It was not ready in time.
            SessionClosed: The session was closed.
        """
        deadline = self._deadline(timeout)
        await self.interrupt()
        async with deadline.enforced("The kernel was not restarted"), self._turn:
            await self._connection.discard()
            await self._ready(deadline)
            self._connection.lost = None

    async def close(self) -> None:
        """Stops the running cell and the kernel. May be called more than once; waiting calls raise SessionClosed."""
        if self._closed or os.getpid() != self._owner:
            self._closed = True
            return
        self._check_loop()
        self._closed = True
        if self._cell is not None:
            self._cell.request_stop(Stop.INTERRUPT)
        async with self._turn:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        """Gives the session itself; the kernel starts with the first cell."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes the session."""
        await self.close()

    # --- the kernel ---

    def _check_usable(self) -> None:
        if os.getpid() != self._owner:
            raise SessionClosed(
                "This session belongs to the process that this one was forked from. Make a new session here."
            )
        if self._closed:
            raise SessionClosed("The session is closed. Make a new one.")
        self._check_loop()

    def _check_loop(self) -> None:
        running = asyncio.get_running_loop()
        self._loop = self._loop or running
        if self._loop is not running:
            raise SessionClosed(
                "This session belongs to the event loop that it was first used in. Make a new session in this one."
            )

    def _deadline(self, timeout: float | None) -> Deadline:
        self._check_usable()
        return Deadline(self._timeout if timeout is None else checked_timeout(timeout))

    async def _ready(self, deadline: Deadline) -> None:
        """Makes sure of a live kernel that has run the startup code."""
        self._check_usable()
        await self._connection.ensure()
        left_running, self._left_running = self._left_running, 0
        if left_running == self.generation:
            await self._ladder.interrupt()
        if self._startup_code is None or self._prepared == self.generation:
            return
        lost, self._connection.lost = self._connection.lost, None
        result = await self._run_cell(self._requests.execute(self._startup_code), deadline, None)
        self._connection.lost = lost
        if not result.ok:
            what = f"{result.error.ename}: {result.error.evalue}" if result.error else " ".join(result.notes)
            raise StartupCodeFailed(what)
        self._prepared = self.generation

    def _on_kernel_end(self, cause: str) -> None:
        if self._cell is not None:
            if self._connection.dead:
                self._cell.die(cause, self.kernel.last_words())
            else:
                self._cell.lose_contact(cause)

    async def _abandon(self, cell: RunningCell) -> None:
        """The kernel, or the connection to it, cannot be kept: begin to start or to find the next, which ends this one."""
        if cell.out_of_reach:
            self._connection.lose(cell.death or "")
            self._left_running = self.generation if self.kernel.is_ours else 0
            await self._connection.drop()
        elif self.kernel.is_ours:
            await self._connection.discard()
        else:
            await self._connection.drop()
        if not self._closed:
            self._connection.begin_start()

    # --- messages ---

    def _take(self, message: Message) -> None:
        cell = self._cell
        if cell is not None:
            if message.msg_type == "input_request" and message.parent_id == cell.execution.request_id:
                self._begin_answer(cell, message)
            output = cell.receive(message)
            if output is not None or message.parent_id == cell.execution.request_id:
                return
        self._take_late(message)

    def _take_late(self, message: Message) -> None:
        """Output of a cell of ours that is over, or of code that belongs to no cell."""
        from cellblock._core.execution import output_of

        if message.parent_header and message.parent_header.get("session") != self._requests.session:
            return  # another client's cell
        output = output_of(message)
        if output is not None:
            self._late.add(output)

    def _begin_answer(self, cell: RunningCell, question: Message) -> None:
        async def reply(text: str) -> None:
            await self._connection.send(self._requests.reply_to(question, "input_reply", {"value": text}))

        if self._input_handler is not None:  # without one the kernel was told so and raises by itself
            cell.input_task = asyncio.create_task(answer(question, cell, self._input_handler, reply))

    # --- one cell ---

    async def _run_cell(
        self, request: Message, deadline: Deadline, on_output: Callable[[Output], None] | None
    ) -> CellResult:
        cell = RunningCell(request, deadline, self._limits, FileSpool(self._spool_dir), on_output)
        self._cell = cell
        try:
            await self._send_and_wait(cell, request)
            if cell.dropped:
                # What ran before it, of another client or given up by us, failed and took it along: it may simply be sent again.
                request = self._requests.again(request)
                cell.begin_again(request)
                await self._send_and_wait(cell, request)
            if cell.stop is not None and not cell.finished:
                await self._ladder.stop(cell)
            await self._ladder.settle(cell)
            result = await self._conclude(cell)
        finally:
            self._cell = None
            cell.spool.finish()
            if cell.input_task is not None:
                cell.input_task.cancel()
            if not cell.finished:
                await self._abandon(cell)
        if cell.cancelled:
            cell.spool.discard()
            raise asyncio.CancelledError
        if cell.failure is not None:
            cell.spool.discard()
            raise cell.failure
        return result

    async def _send_and_wait(self, cell: RunningCell, request: Message) -> None:
        """Until the cell is over or is to be stopped. Sending takes as long as a dropped connection takes to be made again."""
        try:
            async with asyncio.timeout_at(cell.deadline.when):
                await self._connection.send(request)
        except TransportError as error:
            cell.lose_contact(str(error))
        except TimeoutError:
            cell.stop = Stop.DEADLINE
            cell.lose_contact("The connection to its kernel could not be made again in time.")
        while not cell.finished and cell.stop is None:
            if cell.deadline.passed:
                cell.stop = Stop.DEADLINE
            else:
                await self._ladder.until_over(cell)

    async def _conclude(self, cell: RunningCell) -> CellResult:
        self._connection.heard_from(cell.execution.process)
        generation = self.generation
        lost, self._connection.lost = self._connection.lost, None
        late, self._late = self._late.outputs(), OutputLog(_LATE_LIMITS)
        cell.show_lost_error()
        cell.close_spool()
        result = verdict(cell, generation=generation, lost=lost, late=late, is_ours=self.kernel.is_ours)
        if cell.costs_kernel:
            await self._abandon(cell)
        return result
