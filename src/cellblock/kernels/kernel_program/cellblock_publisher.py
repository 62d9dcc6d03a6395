"""Publishing on iopub from the thread that has something to publish.

ipykernel hands each message to a thread of its own: a wake-up and a change of who runs Python, three times for the
shortest cell. Here a message goes straight to the socket, under a lock, with two exceptions, in which that thread sends it:
others are still waiting for the thread, and the order must stay the order in which things were said; or the caller can be
interrupted, and KeyboardInterrupt between two frames would join a message to the next.

ZMQ keeps whatever was sent and not read, without a limit here, because with one it drops. So a kernel that publishes faster
than its owner reads waits for it: the owner says in shared memory how much it has taken.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import zmq
from ipykernel.iostream import IOPubThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


AHEAD = 32 * 1024 * 1024
"""Bytes that the kernel may have published and its owner not taken yet."""

LOOK_AGAIN_AFTER = 0.001
"""Seconds between looks at how much was taken, of a kernel that must wait; memory has no other way to tell."""

WAITING_AT_MOST = 100
"""Messages that may wait for the publishing thread."""


class Publisher(IOPubThread):  # type: ignore[misc]
    """ipykernel's publishing thread, asked only for what cannot be sent at once.

    Attributes:
        lock: Held by whoever uses the socket.
        taken: One number: the bytes that the owner has taken, and one more; 0 if the owner does not say.
    """

    taken: Any = (0,)

    def __init__(self, socket: Any, *, pipe: bool, session: Any) -> None:
        self.lock = threading.RLock()
        self._sent, self._may_send = 0, AHEAD  # bytes
        super().__init__(socket, pipe=pipe, session=session)

    def send_multipart(self, *args: Any, **options: Any) -> None:
        """Sends a message, from any thread."""
        if not self.at_once(lambda: self._really_send(*args, **options)):
            super().send_multipart(*args, **options)
            if len(self._events) > WAITING_AT_MOST and self._is_master_process():
                sent = threading.Event()
                self.schedule(sent.set)
                sent.wait()

    def _really_send(self, msg: list[Any], *args: Any, **options: Any) -> None:
        if self._sent > self._may_send:
            self._wait_for_owner()
        super()._really_send(msg, *args, **options)
        self._sent += sum(map(len, msg))

    def _wait_for_owner(self) -> None:
        while (taken := self.taken[0]) and self._sent > taken + AHEAD:
            time.sleep(LOOK_AGAIN_AFTER)
        self._may_send = (taken or self._sent) + AHEAD

    def at_once(self, send: Callable[[], None]) -> bool:
        """Calls a function that sends, in the calling thread; or, if that may not be, does nothing and says so.

        Args:
            send: Uses the socket.
        """
        # In a forked child the lock may be held by a thread that is not there.
        if not self._is_master_process() or _can_be_interrupted():
            return False
        with self.lock:
            if self._events or not self.thread.is_alive():
                return False
            send()
            self.greet_subscribers()
        return True

    def _handle_event(self, message: Any) -> None:
        with self.lock:
            super()._handle_event(message)
            self.greet_subscribers()

    def _setup_xpub_listener(self) -> None:
        # Not by a ZMQStream, which must be its socket's only user: a descriptor of ZMQ is edge-triggered, and a sending
        # thread may have taken the edge. So whoever sends looks for new subscribers, too.
        self.io_loop.add_handler(self.socket.FD, self._on_readable, self.io_loop.READ)
        self.io_loop.add_callback(self._on_readable)

    def _on_readable(self, *_: Any) -> None:
        with self.lock:
            self.greet_subscribers()

    def greet_subscribers(self) -> None:
        """Sends new subscribers their welcome; called after each use of the socket, with the lock held."""
        while not self.closed and self.socket.get(zmq.EVENTS) & zmq.POLLIN:
            self._handle_subscription(self.socket.recv_multipart(zmq.NOBLOCK))


class _Deferral:
    """Stands in for a handler of SIGINT that is to be called later."""

    def __init__(self) -> None:
        self.came: tuple[Any, ...] | None = None

    def __call__(self, *signal_and_frame: Any) -> None:
        self.came = signal_and_frame


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Puts SIGINT off, so that a message which has drawn its number is also sent; a number passed over means a loss."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    deferral = _Deferral()
    signal.signal(signal.SIGINT, deferral)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if deferral.came is not None:
            handler(*deferral.came)


def _can_be_interrupted() -> bool:
    """Whether a signal can raise an exception in the calling thread."""
    return (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    )
