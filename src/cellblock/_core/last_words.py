"""The memory that a kernel shares with its owner: what it wrote last, read from there once it has died.

The other side is ``kernels/kernel_program/cellblock_streams.py``, which runs in the kernel's interpreter and imports
nothing of this package; the layout is therefore written down in both.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SIZE", "TAKEN_AT", "Written", "read_last_words"]

_REGION = 32 * 1024
_HEADER = struct.Struct("<QQ240p")  # characters in all, bytes in all, request id
_RING = _REGION - _HEADER.size
_STREAMS = ("stdout", "stderr")

TAKEN_AT = _REGION * len(_STREAMS)
"""Where the owner says, in 8 bytes, how much it has taken of what the kernel published: 0 if it does not say, else the bytes
and one more."""

SIZE = TAKEN_AT + 8
"""Bytes of memory to share."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one request wrote to one stream.

    Attributes:
        characters: How many in all.
        tail: The last of them, as far as they are known.
    """

    characters: int
    tail: str

    def beyond(self, received: int) -> str:
        """What is known of the text after so many characters that arrived."""
        missing = self.characters - received
        return self.tail[-missing:] if missing > 0 else ""


def read_last_words(memory: bytes, request_id: str) -> Mapping[str, Written]:
    """What a request wrote to each stream; nothing for a request that was not the last.

    Args:
        memory: The shared memory's content, ``SIZE`` bytes, or nothing.
        request_id: The request's message id.
    """
    found = {}
    for index, stream in enumerate(_STREAMS if len(memory) >= SIZE else ()):
        offset = index * _REGION
        characters, size, request = _HEADER.unpack_from(memory, offset)
        if request.decode("utf-8", "replace") != request_id:
            continue
        ring = memory[offset + _HEADER.size : offset + _REGION]
        at = size % _RING
        data = ring[:at] if size < _RING else ring[at:] + ring[:at]
        found[stream] = Written(characters, data.decode("utf-8", "ignore"))
    return found
