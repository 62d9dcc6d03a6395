"""The kernel's stdout and stderr: ipykernel's streams, with their order, their origin and their last words kept.

* Text of one stream that comes after text of the other stays after it. ipykernel flushes each on its own.
* A thread that an earlier cell started speaks for that cell. ipykernel gives its words to whichever cell runs.
* What a cell writes is also put in memory shared with the owner, so that it survives a kernel which dies before it has
  sent it. The layout is read by ``cellblock._core.last_words``.
* ``flush()`` with nothing buffered returns at once instead of waiting for another thread.
* A stream flushes after so many characters: a loop that prints cannot make one message of hundreds of megabytes.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

from ipykernel.iostream import OutStream

if TYPE_CHECKING:
    from cellblock_publisher import Publisher

FLUSH_AT = 256 * 1024
"""Characters of a stream that make it flush before its time."""

PIECES_AT_MOST = 500
"""Changes between the two streams that make them flush before their time."""

REGION = 32 * 1024
"""Bytes of shared memory for each stream: a header, then a ring of the text written last, in UTF-8."""

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

    _last_words: LastWords | None = None
    _speaks_for: weakref.WeakKeyDictionary[threading.Thread, dict[str, Any]]

    def __init__(self, *args: Any, **options: Any) -> None:
        self._speaks_for = weakref.WeakKeyDictionary()
        super().__init__(*args, **options)

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
        if not string:
            return 0
        parent = self.parent_header
        if self._last_words is not None and parent is self._parent_header_global:
            self._last_words.add(parent.get("msg_id", ""), string)
        if _TRANSCRIPT.add(self, parent, string):
            self.flush()
        else:
            self._schedule_flush()
        return len(string)

    def flush(self) -> None:
        """Sends what is buffered and waits until it is on its way; returns at once if nothing is."""
        if os.getpid() != self._master_pid or (_TRANSCRIPT and not self.pub_thread.at_once(self._flush)):
            super().flush()

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
        direct = _Direct(self.pub_thread)
        try:
            self.session.send(direct, message, ident=self.topic)
        except UnicodeEncodeError:  # half a surrogate pair, which must not take the text around it along
            message["content"]["text"] = text.encode("utf-8", "backslashreplace").decode()
            self.session.send(direct, message, ident=self.topic)


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


def adopt(last_words: int | None) -> None:
    """Finishes the streams once the kernel's own threads run.

    Args:
        last_words: A descriptor of the memory shared with the owner, if there is one.
    """
    _KERNELS_OWN.update(threading.enumerate())
    if last_words is None:
        return
    memory = mmap.mmap(last_words, 2 * REGION)
    os.close(last_words)
    for index, stream in enumerate((sys.stdout, sys.stderr)):
        if isinstance(stream, Stream):
            stream._last_words = LastWords(memory, index * REGION)
