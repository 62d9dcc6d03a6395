"""ipykernel's kernel, with a debugger that is made when somebody debugs, and with nothing between it and its requests.

Importing debugpy is a quarter of a kernel's start, and few kernels are ever debugged. So it is kept out while ipykernel is
imported, and let in by the first request of the debugger protocol; code in a cell may import it at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

sys.modules["debugpy"] = None  # type: ignore[assignment]
from ipykernel import debugger
from ipykernel.ipkernel import IPythonKernel
from traitlets import Type

del sys.modules["debugpy"]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from cellblock_streams import Stream


class Kernel(IPythonKernel):  # type: ignore[misc]
    """IPythonKernel with its debugger on demand."""

    debugger_class = Type(
        klass=object, allow_none=True, default_value=None
    )  # the original imports debugpy to look it up

    @property
    def kernel_info(self) -> dict[str, Any]:
        """What the kernel says of itself."""
        info: dict[str, Any] = super().kernel_info
        features = info["supported_features"]
        if "debugger" not in features and importlib.util.find_spec("debugpy") is not None:
            features.append("debugger")
        return info

    async def poll_stopped_queue(self) -> None:
        """Tells the client where its program has stopped; there is nothing to tell before there is a debugger."""
        if debugger._is_debugpy_available:
            await super().poll_stopped_queue()

    async def do_debug_request(self, msg: dict[str, Any]) -> Any:
        """Answers a request of the debugger protocol. Called in the control thread."""
        if not debugger._is_debugpy_available and importlib.util.find_spec("debugpy") is not None:
            importlib.reload(debugger)
            self.debugger = debugger.Debugger(
                self.log,
                self.debugpy_stream,
                self._publish_debug_event,
                self.debug_shell_socket,
                self.session,
                self._kernel_modules,
                self.debug_just_my_code,
                self.filter_internal_frames,
            )
            self._polling = asyncio.create_task(self.poll_stopped_queue())
        return await super().do_debug_request(msg)


class NoShellThread:
    """Stands in the place of the thread that reads the shell channel where there is none: false, as ipykernel asks."""

    parent_thread = threading.main_thread()

    def __bool__(self) -> bool:
        return False


class DirectKernel(Kernel):
    """A kernel whose main thread reads the shell channel and publishes by itself.

    A thread for the shell channel would only be there for subshells, which a program as the client does not use, and every
    request and every reply would cross it. SIGINT raises KeyboardInterrupt only while code of a cell runs, so that the
    messages around it can be sent at once (see ``cellblock_publisher``).
    """

    _supports_kernel_subshells = False
    streams: tuple[Stream, ...] = ()  # stdout and stderr, once there are

    def set_parent(self, ident: Any, parent: dict[str, Any], channel: str = "shell") -> None:
        """Begins a request; what is written from now on belongs to it."""
        super().set_parent(ident, parent, channel)
        # Where code has put something of its own in a stream's place, ipykernel tells that instead.
        for stream in self.streams:
            if channel == "shell" and stream is not sys.stdout and stream is not sys.stderr:
                stream.set_parent(parent)

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Runs a cell and answers."""
        self.post_handler_hook()
        await super().execute_request(stream, ident, parent)

    async def do_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool = True,
        user_expressions: dict[str, str] | None = None,
        allow_stdin: bool = False,
        *,
        cell_meta: dict[str, Any] | None = None,
        cell_id: str | None = None,
    ) -> dict[str, Any]:
        """Runs the code of a cell, which SIGINT interrupts."""
        self._keep_streams()
        self.pre_handler_hook()
        try:
            reply: dict[str, Any] = await super().do_execute(
                code, silent, store_history, user_expressions, allow_stdin, cell_meta=cell_meta, cell_id=cell_id
            )
        finally:
            self.post_handler_hook()
            self._keep_streams()
            for file in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
                if file is not None and file not in self.streams:
                    file.flush()  # into the descriptor's pipe
            for stream in self.streams:
                stream.end_cell()
        return reply

    def _keep_streams(self) -> None:
        """Puts the streams back that a cell has replaced by what is none, without which no later cell would be answered."""
        for name, stream in zip(("stdout", "stderr"), self.streams, strict=True):
            file = getattr(sys, name, None)
            if not (hasattr(file, "write") and hasattr(file, "flush")):
                setattr(sys, name, stream)

    @contextlib.contextmanager
    def _cancel_on_sigint(self, future: asyncio.Future[Any]) -> Iterator[None]:
        """Lets SIGINT end a cell with a top-level ``await``, also while its code, or that of its tasks, runs.

        ipykernel asks the event loop to cancel the cell, which a loop that is busy with the cell's code does not hear.
        """

        def interrupt(*_: object) -> None:
            running = asyncio.current_task()
            if running is not future:
                future.cancel()  # now: the next of the cell's tasks may be about to block the loop
                future.get_loop().call_soon_threadsafe(_nothing)  # wakes a loop that waits
            if running is not None:
                raise asyncio.CancelledError

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def hide_interrupt(traceback: TracebackType | None) -> None:
    """Takes the signal handler's frame out of a traceback, which then ends in the code that was interrupted.

    Args:
        traceback: Of any exception.
    """
    while traceback is not None and traceback.tb_next is not None:
        code = traceback.tb_next.tb_frame.f_code
        if (code.co_filename, code.co_name) == (__file__, "interrupt"):
            traceback.tb_next = None
        traceback = traceback.tb_next


def _nothing() -> None:
    """What is called where only being called matters."""
