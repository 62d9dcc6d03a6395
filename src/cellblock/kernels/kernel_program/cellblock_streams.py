"""The kernel's stdout and stderr: ipykernel's streams, with their order, their origin and their last words kept.

* Text of one stream that comes after text of the other stays after it. ipykernel flushes each on its own.
* A thread that an earlier cell started speaks for that cell. ipykernel gives its words to whichever cell runs.
* What a cell writes is also put in memory shared with the owner, so that it survives a kernel which dies before it has
  sent it. The layout is read by ``cellblock._core.last_words``.
* ``flush()`` with nothing buffered returns at once instead of waiting for another thread.
* A stream flushes after so many characters: a loop that prints cannot make one message of hundreds of megabytes.
* What programs and libraries write to the process's own descriptors comes before what the cell shows after it, and before
  the cell's end. ipykernel reads it in a thread of its own, whenever that gets to it, and cuts characters in two.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import mmap
import os
import select
import struct
import sys
import termios
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from ipykernel.iostream import OutStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellblock_publisher import Publisher

FLUSH_AT = 256 * 1024
"""Characters of a stream that make it flush before its time."""

PIECES_AT_MOST = 500
"""Changes between the two streams that make them flush before their time."""

REGION = 32 * 1024
"""Bytes of shared memory for each stream: a header, then a ring of the text written last, in UTF-8."""

PIPE_READ = 64 * 1024
"""Bytes taken from a descriptor's pipe at once; as many as it holds on Linux."""

PROGRAM_TAKES = 0.0002
"""Seconds in which no program can have been started and have written: so long after a write the pipe is not looked at."""

HEADER = struct.Struct("<QQ240p")
"""Characters written in all, bytes written in all, and the id of the request they belong to."""


class Transcript:
    """What both streams were given and have not sent, in the order in which it was written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: list[tuple[Stream, dict[str, Any], list[str]]] = []
        self._characters = 0

    def add(self, stream: Stream, parent: dict[str, Any], text: str) -> bool:
        """Adds text, and tells whether so much has gathered that it should be sent now."""
        with self._lock:
            last = self._pieces[-1] if self._pieces else None
            if last is not None and last[0] is stream and last[1] is parent:
                last[2].append(text)
            else:
                self._pieces.append((stream, parent, [text]))
            self._characters += len(text)
            return self._characters >= FLUSH_AT or len(self._pieces) >= PIECES_AT_MOST

    def take(self) -> list[tuple[Stream, dict[str, Any], list[str]]]:
        """Takes everything out."""
        with self._lock:
            pieces, self._pieces, self._characters = self._pieces, [], 0
        return pieces

    def __bool__(self) -> bool:
        return bool(self._pieces)


class Stream(OutStream):  # type: ignore[misc]
    """stdout or stderr of the kernel; see the module."""

    flush_timeout = None  # a reader that takes its time is waited for
    _last_words: LastWords | None = None
    _speaks_for: weakref.WeakKeyDictionary[threading.Thread, dict[str, Any]]

    def __init__(self, *args: Any, watchfd: bool = True, **options: Any) -> None:
        self._speaks_for = weakref.WeakKeyDictionary()
        self._written_at = 0.0
        self._from_programs = _FromPrograms()
        # "force": or ipykernel would leave the descriptor alone in the kernels of a program that pytest tests.
        super().__init__(*args, watchfd="force" if watchfd else False, **options)

    def set_parent(self, parent: dict[str, Any]) -> None:
        """Begins the next cell; the threads that run now speak for the one before it."""
        before = self._parent_header_global
        if before:
            for thread in threading.enumerate():
                # Pools keep their threads for what later cells submit, so those speak for whatever cell runs.
                if thread not in self._speaks_for and not thread.name.startswith(("ThreadPoolExecutor", "MainThread")):
                    self._speaks_for[thread] = {} if thread in _KERNELS_OWN else before
        super().set_parent(parent)

    @property
    def parent_header(self) -> dict[str, Any]:
        """The header of the request that what the calling thread writes belongs to."""
        try:
            header: dict[str, Any] = self._parent_header.get()
        except LookupError:
            header = self._speaks_for.get(threading.current_thread()) or self._parent_header_global
        return header

    @parent_header.setter
    def parent_header(self, value: dict[str, Any]) -> None:
        self._parent_header.set(value)
        self._parent_header_global = value

    def write(self, string: str) -> int | None:
        """Buffers text; sends it when much has gathered."""
        if os.getpid() != self._master_pid or self.pub_thread is None or not isinstance(string, str):
            return super().write(string)  # type: ignore[no-any-return]
        now = time.perf_counter()
        if now - self._written_at > PROGRAM_TAKES:
            self._from_programs.wait_until_taken(self._fid)
        self._written_at = now
        self._add(string)
        return len(string)

    def _add(self, string: str) -> None:
        if not string:
            return
        parent = self.parent_header
        if self._last_words is not None and parent is self._parent_header_global:
            self._last_words.add(parent.get("msg_id", ""), string)
        if _TRANSCRIPT.add(self, parent, string):
            self._send()
        else:
            self._schedule_flush()

    def flush(self) -> None:
        """Sends what is buffered and waits until it is on its way; returns at once if nothing is."""
        if os.getpid() != self._master_pid:
            super().flush()
            return
        self._from_programs.wait_until_taken(self._fid)
        self._send()

    def end_cell(self) -> None:
        """Sends all that the cell, and programs it has run, have written by now."""
        self._from_programs.wait_until_taken(self._fid)
        self._add(self._from_programs.rest())
        self._send()

    def _send(self) -> None:
        if _TRANSCRIPT and not self.pub_thread.at_once(self._flush):
            super().flush()

    def _watch_pipe_fd(self) -> None:
        # The thread that ipykernel starts for the descriptor's pipe.
        waiting = select.poll()
        waiting.register(self._fid, select.POLLIN)
        # A cell may close what is not its own, and close() wakes this thread to end it.
        with self._from_programs.watched(), contextlib.suppress(OSError):
            while waiting.poll() and self._should_watch:
                data = self._from_programs.take(self._fid, self._add)
                os.write(self._original_stdstream_copy, data)

    def _schedule_flush(self) -> None:
        # Not among what waits to be published, as ipykernel does it: there it would keep all else from being sent at once.
        if not self._flush_pending:
            self._flush_pending = True
            self._io_loop.add_callback(self._io_loop.call_later, self.flush_interval, self._flush)

    def _flush(self) -> None:
        if os.getpid() != self._master_pid:
            super()._flush()
            return
        self._flush_pending = False
        with self.pub_thread.lock:  # from taking to sending, or what another thread says next would come first
            for stream, parent, chunks in _TRANSCRIPT.take():
                stream._publish(parent, "".join(chunks))
            self.pub_thread.greet_subscribers()

    def _publish(self, parent: dict[str, Any], text: str) -> None:
        message = self.session.msg("stream", {"name": self.name, "text": text}, parent=parent)
        for hook in self._hooks:
            message = hook(message)
            if message is None:
                return
        # Not queued: the publishing thread, queueing for itself, could fill the queue and wait for ever.
        self.session.send(_Direct(self.pub_thread), message, ident=self.topic)


class _FromPrograms:
    """What has been taken from a descriptor's pipe, and whether all is."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = 0  # bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_watched = False

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Holds while the calling thread takes what comes."""
        self._is_watched = True
        try:
            yield
        finally:
            with self._changed:
                self._is_watched = False
                self._changed.notify_all()

    def take(self, descriptor: int, add: Callable[[str], None]) -> bytes:
        """Takes what there is and gives it.

        Args:
            descriptor: Of the pipe; there must be something, or this waits for it with the lock held.
            add: Given its text, but for a character that is not whole yet.
        """
        with self._changed:
            data = os.read(descriptor, PIPE_READ)
            add(self._decoder.decode(data))
            self._taken += len(data)
            self._changed.notify_all()
        return data

    def wait_until_taken(self, descriptor: int | None) -> None:
        """Waits until the text of all that is in the pipe now was added."""
        if not self._is_watched or descriptor is None or not _bytes_in(descriptor):
            return
        with self._changed:
            until = self._taken + _bytes_in(descriptor)
            self._changed.wait_for(lambda: self._taken >= until or not self._is_watched)

    def rest(self) -> str:
        """The text of a character that never became whole."""
        with self._changed:
            return self._decoder.decode(b"", final=True)


def _bytes_in(pipe: int) -> int:
    try:
        return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
    except OSError:  # the cell closed what is not its own
        return 0


class _Direct:
    """The iopub socket, for whoever holds the publisher's lock."""

    def __init__(self, publisher: Publisher) -> None:
        self.send_multipart = publisher._really_send


class LastWords:
    """One stream's part of the shared memory.

    Args:
        memory: The whole of it.
        offset: Where the part begins.
    """

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._memory, self._offset = memory, offset
        self._ring = REGION - HEADER.size
        self._lock = threading.Lock()
        self._request = ""
        self._characters = self._bytes = 0

    def add(self, request: str, text: str) -> None:
        """Adds text of a request; text of another request than before replaces what is there."""
        with self._lock:
            if request != self._request:
                self._request, self._characters, self._bytes = request, 0, 0
            self._characters += len(text)
            data = text[-self._ring :].encode("utf-8", "replace")[-self._ring :]
            start = self._bytes % self._ring
            first = data[: self._ring - start]
            base = self._offset + HEADER.size
            self._memory[base + start : base + start + len(first)] = first
            self._memory[base : base + len(data) - len(first)] = data[len(first) :]
            self._bytes += len(data)
            HEADER.pack_into(self._memory, self._offset, self._characters, self._bytes, request.encode())


_TRANSCRIPT = Transcript()
_KERNELS_OWN: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


def adopt(publisher: Publisher, last_words: int | None) -> tuple[Stream, Stream]:
    """Finishes the streams once the kernel's own threads run, and gives them.

    Args:
        publisher: Sends what they are given.
        last_words: A descriptor of the memory shared with the owner, if there is one.
    """
    _KERNELS_OWN.update(threading.enumerate())
    streams: Any = (sys.stdout, sys.stderr)
    if last_words is not None:
        memory = mmap.mmap(last_words, 2 * REGION + 8)
        os.close(last_words)
        publisher.taken = memoryview(memory)[2 * REGION :].cast("Q")
        for index, stream in enumerate(streams):
            stream._last_words = LastWords(memory, index * REGION)
    given: tuple[Stream, Stream] = streams
    return given
