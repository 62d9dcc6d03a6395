"""The log of what a cell showed: in order and within bounds.

It honours ``clear_output`` and ``update_display_data`` and joins the chunks of one stream, so that it holds what a notebook
would show. Past ``Limits.memory`` it keeps the head and the most recent tail of the text and counts the rest, which its
spool (given from outside; this file opens none) may keep whole.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from cellblock._core.outputs import (
    ClearOutput,
    DisplayOutput,
    ErrorOutput,
    Limits,
    OmittedOutput,
    Output,
    ResultOutput,
    StreamOutput,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OutputLog", "Spool"]

_OVERHEAD = 100  # characters charged for each chunk or object, so that a flood of empty ones is bounded too
_JOINED = 4096  # characters up to which small chunks are joined, so that the charge for each is not most of their cost
_SLACK = 16  # the part of memory that is freed each time it is full


class Spool(Protocol):
    """Keeps the whole of an output that memory keeps only in part."""

    def write(self, text: str) -> None:
        """Appends text."""

    @property
    def location(self) -> str:
        """Where a reader finds the whole, such as a path."""


class _Text:
    """Consecutive chunks of one stream."""

    __slots__ = ("chunks", "late", "name", "size")

    def __init__(self, chunk: StreamOutput) -> None:
        self.name, self.late = chunk.name, chunk.late
        self.chunks: deque[str] = deque()
        self.size = 0
        self.append(chunk.text)

    def append(self, text: str) -> int:
        """Adds text and gives what it costs."""
        if self.chunks and len(self.chunks[-1]) < _JOINED:
            self.chunks[-1] += text
            cost = len(text)
        else:
            self.chunks.append(text)
            cost = len(text) + _OVERHEAD
        self.size += cost
        return cost

    def continues(self, chunk: Output) -> bool:
        return isinstance(chunk, StreamOutput) and chunk.name == self.name and chunk.late == self.late

    def split(self, keep: int) -> tuple[_Text | None, _Text | None]:
        """Cuts after about ``keep`` characters; either side may be nothing."""
        text = "".join(self.chunks)
        first, rest = text[:keep], text[keep:]
        return tuple(_Text(StreamOutput(self.name, part, late=self.late)) if part else None for part in (first, rest))  # type: ignore[return-value]

    def drop_front(self, surplus: int) -> int:
        """Drops at least ``surplus`` characters from the front and gives how many were real text."""
        dropped = 0
        while surplus > 0 and self.chunks:
            chunk = self.chunks.popleft()
            cost = len(chunk) + _OVERHEAD
            if len(chunk) > surplus:
                self.chunks.appendleft(chunk[surplus:])
                self.size -= surplus
                return dropped + surplus
            dropped += len(chunk)
            self.size -= cost
            surplus -= cost
        return dropped

    def drop_all(self) -> int:
        """Drops everything and gives how many characters were real text."""
        return self.drop_front(self.size)

    def output(self) -> Output:
        return StreamOutput(self.name, "".join(self.chunks), late=self.late)


class _Shown:
    """One displayed object; an update replaces what it shows."""

    __slots__ = ("shown", "size")

    def __init__(self, shown: Output) -> None:
        self.shown = shown
        self.size = _size(shown)

    @property
    def display_id(self) -> str | None:
        return self.shown.display_id if isinstance(self.shown, DisplayOutput) else None

    def output(self) -> Output:
        return self.shown


class OutputLog:
    """Keeps what one cell showed, in order and within bounds.

    Args:
        limits: How much is kept.
        spool: Where the whole goes once memory is full; None counts and drops what memory cannot keep.
    """

    def __init__(self, limits: Limits | None = None, spool: Spool | None = None) -> None:
        self.limits = limits or Limits()
        self._spool = spool
        self._head: list[_Text | _Shown] = []
        self._tail: deque[_Text | _Shown] | None = None  # only once memory is full
        self._size = 0  # of head and tail
        self._displays: dict[str, list[_Shown]] = {}  # what is kept, by display id
        self._clear_next = False
        self._omitted = 0
        self._spooled = 0
        self._spool_lost = False

    def add(self, output: Output) -> None:
        """Takes the next output.

        Args:
            output: Any output; a clear or an update changes what is kept.
        """
        if isinstance(output, ClearOutput):
            self._clear_next = output.wait
            if not output.wait:
                self._clear()
            return
        if not (isinstance(output, DisplayOutput) and output.update and self._replace(output)):
            if self._clear_next:
                self._clear()
            self._append(output)
        if self._tail is not None:
            self._to_spool(output)
            self._trim()
        elif self._size > self.limits.memory:
            self._overflow()

    @property
    def omitted(self) -> int:
        """Characters that were cut from memory."""
        return self._omitted

    @property
    def location(self) -> str:
        """Where the whole is, if memory keeps only a part of it and the spool has all; otherwise an empty string."""
        return self._spool.location if self._omitted and self._spool and not self._spool_lost else ""

    def outputs(self) -> tuple[Output, ...]:
        """What is kept, chunks of one stream joined, an OmittedOutput where something was cut."""
        return tuple(self._iterate())

    def _iterate(self) -> Iterator[Output]:
        for item in self._head:
            yield item.output()
        if self._omitted:
            yield OmittedOutput(self._omitted, self.location)
        for item in self._tail or ():
            yield item.output()

    def _append(self, output: Output) -> None:
        items = self._head if self._tail is None else self._tail
        last = items[-1] if items else None
        if isinstance(output, StreamOutput):
            if isinstance(last, _Text) and last.continues(output):
                self._size += last.append(output.text)
                return
            item: _Text | _Shown = _Text(output)
        elif isinstance(output, DisplayOutput) and output.display_id is not None:
            item = _Shown(replace(output, update=False))
            self._displays.setdefault(output.display_id, []).append(item)
        else:
            item = _Shown(output)
        items.append(item)
        self._size += item.size

    def _replace(self, update: DisplayOutput) -> bool:
        """Updates every display of that id that is kept, and tells whether there was one."""
        items = self._displays.get(update.display_id or "", ())
        for item in items:
            before = item.size
            item.shown, item.size = replace(update, update=False), _size(update)
            self._size += item.size - before
        return bool(items)

    def _clear(self) -> None:
        self._head.clear()
        self._tail = None
        self._size = self._omitted = 0
        self._displays.clear()
        self._clear_next = False

    def _overflow(self) -> None:
        """Memory is full for the first time: from now on keep a head and a moving tail."""
        for item in self._head:
            self._to_spool(item.output())
        kept, room = 0, self.limits.memory // 2
        for index, item in enumerate(self._head):
            if kept + item.size > room:
                tail: deque[_Text | _Shown] = deque(self._head[index + 1 :])
                del self._head[index:]
                if isinstance(item, _Text):
                    first, rest = item.split(room - kept)
                    if first is not None:
                        self._head.append(first)
                    if rest is not None:
                        tail.appendleft(rest)
                else:
                    tail.appendleft(item)
                self._tail = tail
                break
            kept += item.size
        self._size = sum(item.size for item in (*self._head, *(self._tail or ())))
        self._trim()

    def _trim(self) -> None:
        """Drops from the front of the tail, and from the end of the head once there is no tail, until memory will do.

        More than needed is dropped, so that a flood of small outputs does not cut a large one again for each of them.
        """
        if self._size <= self.limits.memory:
            return
        room = self.limits.memory - self.limits.memory // _SLACK
        while self._size > room and (self._tail or self._head):
            item = self._tail[0] if self._tail else self._head[-1]
            before = item.size
            if isinstance(item, _Text):
                self._omitted += item.drop_front(self._size - room) if self._tail else item.drop_all()
                self._size -= before - item.size
                if item.chunks:
                    continue
            else:
                self._omitted += before
                self._size -= before
                self._forget(item)
            if self._tail:
                self._tail.popleft()
            else:
                self._head.pop()

    def _forget(self, item: _Shown) -> None:
        """A display that is no longer kept: an update of it is a new output."""
        if item.display_id is not None:
            left = [other for other in self._displays.pop(item.display_id, ()) if other is not item]
            if left:
                self._displays[item.display_id] = left

    def _to_spool(self, output: Output) -> None:
        if self._spool is None or self._spool_lost:
            return
        text = output.text if isinstance(output, StreamOutput) else _as_line(output)
        if self._spooled + len(text) > self.limits.spool:
            self._spool_lost = True
            return
        self._spooled += len(text)
        self._spool.write(text)


def _size(output: Output) -> int:
    if isinstance(output, DisplayOutput | ResultOutput):
        return _OVERHEAD + sum(len(v) if isinstance(v, str) else len(json.dumps(v)) for v in output.data.values())
    if isinstance(output, ErrorOutput):
        return _OVERHEAD + len(output.evalue) + sum(map(len, output.traceback))
    return _OVERHEAD


def _as_line(output: Output) -> str:
    """A displayed object as one line of JSON, the form in which a spool keeps it among the text."""
    if isinstance(output, DisplayOutput | ResultOutput):
        return json.dumps({"data": dict(output.data)}) + "\n"
    if isinstance(output, ErrorOutput):
        return "\n".join((*output.traceback, f"{output.ename}: {output.evalue}", ""))
    return ""
