"""The one event loop per process on which blocking calls run.

A forked child has no thread to run its parent's loop, so loops are kept by process id: the child makes its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from cellblock.errors import SessionClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["BackgroundLoop", "background_loop", "in_thread"]

T = TypeVar("T")


class BackgroundLoop:
    """An event loop in a daemon thread. Use ``background_loop()``."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cellblock-loop", daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether this is the loop's own thread, where waiting for it would be waiting for oneself."""
        return threading.current_thread() is self._thread

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop and waits for what it gives.

        Ctrl-C while waiting cancels the coroutine, waits until it has ended, and is raised again.

        Args:
            coroutine: What to run.
        """
        future = self.submit(coroutine)
        try:
            return future.result()
        except KeyboardInterrupt:
            if not future.done():
                self._loop.call_soon_threadsafe(future.cancel_task)
                future.ended.wait()
            raise

    async def call_from_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on this loop and awaits it on the caller's. Cancelling waits for it to clean up.

        Args:
            coroutine: What to run.
        """
        call = self.submit(coroutine)
        try:
            return await asyncio.shield(asyncio.wrap_future(call))
        except asyncio.CancelledError:
            self._loop.call_soon_threadsafe(call.cancel_task)
            await asyncio.to_thread(call.ended.wait)
            raise

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> _Call[T]:
        """Starts a coroutine on the loop.

        Args:
            coroutine: What to run.

        Raises:
            SessionClosed: This is a forked child, where the loop's thread is not.
            RuntimeError: Called from the loop's own thread, where waiting would be waiting for oneself.
        """
        if os.getpid() != self._owner:
            coroutine.close()
            raise SessionClosed(
                "This session belongs to the process that this one was forked from. Make a new session here."
            )
        if self.is_here:
            coroutine.close()
            raise RuntimeError(
                "A blocking call was made from cellblock's own event loop. Use the asynchronous API there."
            )
        call: _Call[T] = _Call()
        self._loop.call_soon_threadsafe(call.begin, self._loop, coroutine)
        return call

    def clean_up(self, begin: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Runs a coroutine and waits for it, except where that would be for ever; for what may run in a garbage collection.

        In the loop's own thread it only starts, and in a forked child there is nothing to clean up.

        Args:
            begin: Gives the coroutine.
        """
        if os.getpid() != self._owner:
            return
        if self.is_here:
            self.submit_from_anywhere(begin())
        else:
            self.call(begin())

    def submit_from_anywhere(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Starts a coroutine on the loop from any thread, its own included, for clean-up nobody waits for.

        Args:
            coroutine: What to run.
        """
        self._loop.call_soon_threadsafe(_Call[object]().begin, self._loop, coroutine)

    def stop(self) -> None:
        """Ends the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Call(Future[T]):
    """A coroutine's result in another thread. Cancelling it waits for the coroutine to clean up, unlike asyncio's own."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = threading.Event()
        self._task: asyncio.Task[T] | None = None
        self._coroutine: Coroutine[Any, Any, T] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._task = loop.create_task(_contained(coroutine))
        self._task.add_done_callback(self._finish)

    def cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _finish(self, task: asyncio.Task[T]) -> None:
        if self._coroutine is not None:
            self._coroutine.close()  # a task that was cancelled at once has not begun it
        if task.cancelled():
            self.cancel()
        elif (error := task.exception()) is not None:
            self.set_exception(error.error if isinstance(error, _ContainedError) else error)
        else:
            self.set_result(task.result())
        self.ended.set()


class _ContainedError(Exception):
    """Carries an exception that would end an event loop to whoever called."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


async def _contained(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:  # a handler of the caller's has raised it
        raise _ContainedError(error) from None


_LOOPS: dict[int, BackgroundLoop] = {}  # by process id


def background_loop() -> BackgroundLoop:
    """This process's loop, started with the first call."""
    pid = os.getpid()
    loop = _LOOPS.get(pid)
    if loop is None:
        # No lock: a garbage collection within could come back here. Of two first calls, one takes the other's loop.
        made = BackgroundLoop()
        loop = _LOOPS.setdefault(pid, made)
        if loop is not made:
            made.stop()
    return loop


async def in_thread(call: Callable[[], T], undo: Callable[[T], object]) -> T:
    """Runs what blocks in a thread and awaits it. Cancelling waits for the thread, and takes back what it did.

    Args:
        call: What to run.
        undo: Given the result that nobody takes any more.
    """
    thread = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        if not thread.cancelled() and thread.exception() is None:
            undo(thread.result())
        raise
