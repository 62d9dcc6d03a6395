"""What a cell showed, as typed values that never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "ClearOutput",
    "DisplayOutput",
    "ErrorOutput",
    "Limits",
    "MimeBundle",
    "OmittedOutput",
    "Output",
    "ResultOutput",
    "StreamOutput",
]

MimeBundle = Mapping[str, Any]
"""Representations of one object by MIME type; values are text, base64 text for binary types, or JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One thing a cell showed. See the subclasses.

    Attributes:
        late: True for output of an earlier cell that came after that cell was over (background threads).
    """

    late: bool = False


@dataclass(frozen=True, slots=True)
class StreamOutput(Output):
    """Text written to a standard stream.

    Attributes:
        name: Which stream.
        text: What was written, verbatim.
    """

    name: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True)
class DisplayOutput(Output):
    """An object shown by ``display()``.

    Attributes:
        data: Its MIME bundle.
        metadata: Per MIME type, such as an image's size.
        display_id: What ``update_display`` names it by, if anything.
        update: In a stream of outputs: this replaces the earlier output with the same ``display_id``.
    """

    data: MimeBundle
    metadata: Mapping[str, Any] = field(default_factory=dict)
    display_id: str | None = None
    update: bool = False


@dataclass(frozen=True, slots=True)
class ResultOutput(Output):
    """The value of the cell's last expression.

    Attributes:
        data: Its MIME bundle.
        metadata: Per MIME type.
        execution_count: The number of the cell, as in ``Out[3]``.
    """

    data: MimeBundle
    metadata: Mapping[str, Any] = field(default_factory=dict)
    execution_count: int | None = None


@dataclass(frozen=True, slots=True)
class ErrorOutput(Output):
    """An exception that ended the cell.

    Attributes:
        ename: The exception's class name.
        evalue: Its message.
        traceback: The traceback's lines as the kernel formatted them, with terminal colours.
    """

    ename: str
    evalue: str
    traceback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClearOutput(Output):
    """In a stream of outputs: what the cell showed so far is to be cleared.

    Attributes:
        wait: Clear only when the next output comes.
    """

    wait: bool = False


@dataclass(frozen=True, slots=True)
class OmittedOutput(Output):
    """Stands where a limit cut output away.

    Attributes:
        characters: How much is missing here.
        location: Where the whole output is, or an empty string if it was kept nowhere.
    """

    characters: int
    location: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much output of one cell is kept where.

    Attributes:
        memory: Characters kept in memory; past it the head and the tail stay, half of it each.
        spool: Characters kept in a file once memory is full; a longer output is kept in no file, and what memory drops of
            it is only counted.
    """

    memory: int = 64 * 1024 * 1024
    spool: int = 512 * 1024 * 1024
