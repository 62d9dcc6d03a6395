"""What a kernel wrote last, read from the memory it shared with its owner before it died.

The other side is ``kernels/kernel_program/cellblock_streams.py``, which runs in the kernel's interpreter and imports
nothing of this package; the layout is therefore written down in both.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SIZE", "Written", "read_last_words"]

_REGION = 32 * 1024
_HEADER = struct.Struct("<QQ240p")  # characters in all, bytes in all, request id
_RING = _REGION - _HEADER.size
_STREAMS = ("stdout", "stderr")

SIZE = _REGION * len(_STREAMS)
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
