"""The session for code that is not asynchronous: each call goes to one background event loop and waits.

There is no second implementation: `Session` is `AsyncSession`, called from outside its loop. It works from any thread,
from several at once, inside a running event loop and inside a notebook, because the loop it runs on is its own.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import weakref
from typing import TYPE_CHECKING, Self

from cellblock.background import background_loop
from cellblock.session import AsyncSession, InputHandler, Status

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from cellblock._core.outputs import Limits, Output
    from cellblock._core.results import CellResult
    from cellblock.kernels import Kernel
    from cellblock.kernels.sandbox.options import Sandbox
    from cellblock.stream import CellStream

__all__ = ["Session"]


class Session:
    """One kernel with its variables, running one cell at a time; every call blocks until it is done.

    Use it as ``with Session() as session``, or call ``close()``; what is still open when the interpreter ends is closed then.
    Ctrl-C during a call interrupts the cell, waits for it to end, and is raised again.

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
        self.asynchronous = AsyncSession(
            kernel,
            kernel_name=kernel_name,
            cwd=cwd,
            env=env,
            sandbox=sandbox,
            timeout=timeout,
            input_handler=input_handler,
            limits=limits,
            spool_dir=spool_dir,
            startup_code=startup_code,
        )
        # Not a method of self, which it would keep alive.
        self._finalizer = weakref.finalize(self, _close, self.asynchronous)
        self._finalizer.atexit = False
        _OPEN.add(self.asynchronous)

    @property
    def status(self) -> Status:
        """What the session is doing: "dead" has no kernel now, the next call starts one."""
        return self.asynchronous.status

    @property
    def generation(self) -> int:
        """Which kernel this is: 1, then one more for each restart; 0 before the first start."""
        return self.asynchronous.generation

    @property
    def kernel(self) -> Kernel:
        """The kernel, to be used on the background loop only."""
        return self.asynchronous.kernel

    def start(self, *, timeout: float | None = None) -> None:
        """Starts the kernel if it is not running. See ``AsyncSession.start``."""
        background_loop().call(self.asynchronous.start(timeout=timeout))

    def run(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: Callable[[Output], None] | None = None,
        user_expressions: Mapping[str, str] | None = None,
    ) -> CellResult:
        """Runs one cell and gives what it came to, however it ended. See ``AsyncSession.run``."""
        run = self.asynchronous.run(code, timeout=timeout, on_output=on_output, user_expressions=user_expressions)
        return background_loop().call(run)

    def stream(self, code: str, *, timeout: float | None = None) -> SessionStream:
        """The outputs of a cell as they come: ``for output in session.stream(code)``.

        Leaving the loop early interrupts the cell. Afterwards ``result`` of the stream is the cell's result.

        Args:
            code: The source.
            timeout: Seconds the cell may take; the session's if not given.
        """
        return SessionStream(self.asynchronous, code, timeout)

    def interrupt(self) -> None:
        """Stops the running cell, from another thread. See ``AsyncSession.interrupt``."""
        background_loop().call(self.asynchronous.interrupt())

    def restart(self, *, timeout: float | None = None) -> None:
        """Starts afresh with no variables. See ``AsyncSession.restart``."""
        background_loop().call(self.asynchronous.restart(timeout=timeout))

    def close(self) -> None:
        """Stops the running cell and the kernel. May be called more than once."""
        self._finalizer.detach()
        _OPEN.discard(self.asynchronous)
        background_loop().call(self.asynchronous.close())

    def __enter__(self) -> Self:
        """Gives the session itself; the kernel starts with the first cell."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Closes the session."""
        self.close()


class SessionStream:
    """An iterator over the outputs of one cell. See ``Session.stream``.

    Args:
        session: Runs the cell.
        code: The cell's source.
        timeout: Seconds it may take.
    """

    def __init__(self, session: AsyncSession, code: str, timeout: float | None) -> None:
        self._session, self._code, self._timeout = session, code, timeout
        self._stream: CellStream | None = None

    @property
    def result(self) -> CellResult:
        """What the cell came to.

        Raises:
            SessionError: The stream has not been read to its end.
        """
        from cellblock.errors import SessionError

        if self._stream is None:
            raise SessionError("The cell has no result yet: read its stream to the end first.")
        return self._stream.result

    def __iter__(self) -> Iterator[Output]:
        """Runs the cell and gives its outputs. Leaving early interrupts the cell and waits for it to end."""
        loop = background_loop()
        self._stream = self._stream or loop.call(self._open())
        outputs = self._stream.__aiter__()
        try:
            while True:
                try:
                    yield loop.call(outputs.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            loop.clean_up(outputs.aclose)

    async def _open(self) -> CellStream:
        return self._session.stream(self._code, timeout=self._timeout)


_log = logging.getLogger(__name__)
_CLOSE_WITHIN = 15.0  # seconds the end of the interpreter waits for all sessions together
_OPEN: weakref.WeakSet[AsyncSession] = weakref.WeakSet()  # what the end of the interpreter must close


def _close(session: AsyncSession) -> None:
    """Closes a session that was dropped, without waiting: this may run in any thread, the loop's own included."""
    background_loop().submit_from_anywhere(session.close())


@atexit.register
def _close_all() -> None:
    if sessions := list(_OPEN):
        background_loop().call(_close_together(sessions))


async def _close_together(sessions: list[AsyncSession]) -> None:
    closing = [asyncio.create_task(session.close()) for session in sessions]
    closed, left = await asyncio.wait(closing, timeout=_CLOSE_WITHIN)
    for task in closed:
        if (error := task.exception()) is not None:
            _log.warning("A session could not be closed when the interpreter ended.", exc_info=error)
    if left:
        _log.warning(
            "%d sessions could not be closed within %g s when the interpreter ended.", len(left), _CLOSE_WITHIN
        )
