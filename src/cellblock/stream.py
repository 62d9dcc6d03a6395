"""The outputs of a cell as they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from cellblock._core.outputs import OmittedOutput, Output, StreamOutput
from cellblock.errors import SessionError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cellblock._core.results import CellResult
    from cellblock.session import AsyncSession

__all__ = ["CellStream"]

_WAITING_LIMIT = 16 * 1024 * 1024  # characters that wait for a slow reader; the result has everything


class CellStream:
    """An asynchronous iterator over the outputs of one cell. See ``AsyncSession.stream``.

    Args:
        session: Runs the cell.
        code: The cell's source.
        timeout: Seconds it may take.
    """

    def __init__(self, session: AsyncSession, code: str, timeout: float | None) -> None:
        self._session, self._code, self._timeout = session, code, timeout
        self._waiting: deque[Output] = deque()
        self._size = self._omitted = 0
        self._more = asyncio.Event()
        self._result: CellResult | None = None
        self._begun = False

    @property
    def result(self) -> CellResult:
        """What the cell came to.

        Raises:
            SessionError: The stream has not been read to its end.
        """
        if self._result is None:
            raise SessionError("The cell has no result yet: read its stream to the end first.")
        return self._result

    async def __aiter__(self) -> AsyncGenerator[Output, None]:
        """Runs the cell and gives its outputs. Leaving early interrupts the cell and waits for it to end.

        Raises:
            SessionError: It has been read before.
        """
        if self._begun:
            raise SessionError(
                "The stream was read before, and its cell ran then. Make another stream to run it again."
            )
        self._begun = True
        run = asyncio.create_task(self._session.run(self._code, timeout=self._timeout, on_output=self._put))
        run.add_done_callback(lambda _: self._more.set())
        try:
            while not run.done() or self._waiting:
                await self._more.wait()
                self._more.clear()
                while self._waiting:
                    yield self._next()
            self._result = await run
        finally:
            if not run.done():
                run.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await run

    def _put(self, output: Output) -> None:
        self._waiting.append(output)
        self._size += _size(output)
        while self._size > _WAITING_LIMIT and len(self._waiting) > 1:
            size = _size(self._waiting.popleft())
            self._size -= size
            self._omitted += size
        self._more.set()

    def _next(self) -> Output:
        if self._omitted:
            omitted, self._omitted = OmittedOutput(self._omitted), 0
            return omitted
        output = self._waiting.popleft()
        self._size -= _size(output)
        return output


def _size(output: Output) -> int:
    return (
        len(output.text)
        if isinstance(output, StreamOutput)
        else sum(len(str(v)) for v in getattr(output, "data", {}).values())
    )
