"""The two forms a kernel's messages take on a Jupyter server's WebSocket, as pure translations.

* ``v1.kernel.websocket.jupyter.org``: one binary frame; a table of 64-bit little-endian offsets, then the channel's name
  and the parts of the message as the kernel sent them. Nothing is parsed and packed again on the way.
* The older form: one JSON text with the channel as a key; a message with buffers is a binary frame that starts with a
  table of 32-bit big-endian offsets.

Source: "WebSocket protocols" in the documentation of Jupyter Server
(https://jupyter-server.readthedocs.io/en/latest/developers/websocket-protocols.html).
"""

from __future__ import annotations

import itertools
import json
import struct
from typing import Any, Protocol, get_args

from cellblock._core.messages import Channel, Message
from cellblock.errors import RemoteProtocolError

__all__ = ["V1_SUBPROTOCOL", "JsonFraming", "V1Framing", "WebSocketFraming", "framing_for"]

V1_SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"

_CHANNELS: dict[bytes, Channel] = {channel.encode(): channel for channel in get_args(Channel)}
_WORD = 8  # bytes of an offset in the v1 form
_MALFORMED = (struct.error, ValueError, KeyError, RecursionError)  # what reading garbage raises


class WebSocketFraming(Protocol):
    """Turns a message into one WebSocket frame and back."""

    def encode(self, message: Message) -> str | bytes:
        """The frame that carries a message: text or binary."""

    def decode(self, frame: str | bytes) -> Message:
        """Reads a frame.

        Raises:
            RemoteProtocolError: The frame is not a message in this form.
        """


def framing_for(subprotocol: str | None) -> WebSocketFraming:
    """The form to speak after the opening handshake.

    Args:
        subprotocol: What the server chose of what it was offered; None is the older form.
    """
    return V1Framing() if subprotocol == V1_SUBPROTOCOL else JsonFraming()


class V1Framing:
    """``v1.kernel.websocket.jupyter.org``."""

    def encode(self, message: Message) -> bytes:
        """The binary frame that carries a message."""
        parts = [
            message.channel.encode(),
            *map(_pack, (message.header, message.parent_header, message.metadata, message.content)),
            *message.buffers,
        ]
        offsets = [_WORD * (len(parts) + 2)]
        for part in parts:
            offsets.append(offsets[-1] + len(part))
        return b"".join([struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets), *parts])

    def decode(self, frame: str | bytes) -> Message:
        """Reads a binary frame."""
        if isinstance(frame, str):
            raise RemoteProtocolError(f"The server agreed to {V1_SUBPROTOCOL} and then sent a text frame.")
        try:
            channel, header, parent_header, metadata, content, *buffers = _split(frame)
            return Message(
                _CHANNELS[channel],
                _unpack(header),
                _unpack(parent_header),
                _unpack(content),
                _unpack(metadata),
                tuple(buffers),
            )
        except _MALFORMED as error:
            raise _malformed(frame) from error


class JsonFraming:
    """The older form: JSON, with a binary frame only where a message has buffers."""

    def encode(self, message: Message) -> str | bytes:
        """The frame that carries a message: text, or binary if it has buffers."""
        text = json.dumps(
            {
                "channel": message.channel,
                "header": message.header,
                "parent_header": message.parent_header,
                "metadata": message.metadata,
                "content": message.content,
                "buffers": [],
            }
        )
        return _join_buffers(text.encode(), message.buffers) if message.buffers else text

    def decode(self, frame: str | bytes) -> Message:
        """Reads a text or binary frame."""
        try:
            text, buffers = (frame, ()) if isinstance(frame, str) else _split_buffers(frame)
            fields = _object(json.loads(text))
            return Message(
                _CHANNELS[str(fields["channel"]).encode()],
                _object(fields["header"]),
                _object(fields.get("parent_header") or {}),
                _object(fields["content"]),
                _object(fields.get("metadata") or {}),
                buffers,
            )
        except _MALFORMED as error:
            raise _malformed(frame) from error


def _pack(part: dict[str, Any]) -> bytes:
    return json.dumps(part).encode()


def _unpack(part: bytes) -> dict[str, Any]:
    # Replacing what is no UTF-8 keeps a kernel's broken text readable and the connection alive.
    return _object(json.loads(part.decode(errors="replace")))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _split(frame: bytes) -> list[bytes]:
    """The parts of a v1 frame: channel, header, parent header, metadata, content, buffers."""
    (count,) = struct.unpack_from("<Q", frame)
    if count * _WORD > len(frame):
        raise ValueError("the table of offsets is longer than the frame")
    offsets = struct.unpack_from(f"<{count}Q", frame, _WORD)
    return [frame[start:end] for start, end in itertools.pairwise(offsets)]


def _join_buffers(text: bytes, buffers: tuple[bytes, ...]) -> bytes:
    parts = [text, *buffers]
    offsets = [4 * (len(parts) + 1)]
    for part in parts[:-1]:
        offsets.append(offsets[-1] + len(part))
    return b"".join([struct.pack(f"!{len(parts) + 1}I", len(parts), *offsets), *parts])


def _split_buffers(frame: bytes) -> tuple[str, tuple[bytes, ...]]:
    (count,) = struct.unpack_from("!I", frame)
    if not 0 < count * 4 <= len(frame):
        raise ValueError("the table of offsets does not fit the frame")
    offsets = [*struct.unpack_from(f"!{count}I", frame, 4), len(frame)]
    text, *buffers = (frame[start:end] for start, end in itertools.pairwise(offsets))
    return text.decode(errors="replace"), tuple(buffers)


def _malformed(frame: str | bytes) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"The server sent a frame that is not a Jupyter message ({len(frame)} long, it starts with {frame[:40]!r}). "
        "Something between this program and the server may be changing its WebSocket messages."
    )
