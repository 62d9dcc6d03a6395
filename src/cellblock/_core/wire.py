"""Messages as ZMQ frames: serialisation and the HMAC signature.

Source: the Jupyter messaging specification, "The Wire Protocol"
(https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol): identities, the delimiter, the
signature over the four JSON parts, then header, parent header, metadata, content, and binary buffers.
"""

from __future__ import annotations

import functools
import hmac
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cellblock._core.messages import Channel, Message
from cellblock.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DELIMITER", "Signer", "deserialize", "serialize"]

DELIMITER = b"<IDS|MSG>"
_SHORT = 4096  # bytes of what is worth keeping


class Signer:
    """Signs and checks frames with one kernel's key.

    Args:
        key: The shared secret; empty means that messages are not signed.
    """

    def __init__(self, key: bytes) -> None:
        self._base = hmac.new(key, digestmod=sha256) if key else None

    def sign(self, parts: Sequence[bytes]) -> bytes:
        """The signature of the JSON parts, as hexadecimal digits."""
        if self._base is None:
            return b""
        digest = self._base.copy()
        for part in parts:
            digest.update(part)
        return digest.hexdigest().encode()


def serialize(message: Message, signer: Signer) -> list[bytes]:
    """The frames of a message, from the delimiter on.

    Args:
        message: What to send.
        signer: Of the kernel it goes to.
    """
    parts = [
        json.dumps(part).encode() for part in (message.header, message.parent_header, message.metadata, message.content)
    ]
    return [DELIMITER, signer.sign(parts), *parts, *message.buffers]


def deserialize(channel: Channel, frames: Sequence[bytes], signer: Signer) -> Message:
    """The message in the frames that arrived on a channel.

    Args:
        channel: Where they arrived.
        frames: With any routing identities (or a topic) in front.
        signer: Of the kernel they come from.

    Raises:
        RemoteProtocolError: The frames are no message, or the signature is not this kernel's.
    """
    try:
        start = frames.index(DELIMITER)
        signature, header, parent, metadata, content = frames[start + 1 : start + 6]
    except ValueError:
        raise RemoteProtocolError(
            f"A message on {channel} is not framed as the Jupyter protocol asks; it was dropped."
        ) from None
    if not hmac.compare_digest(signature, signer.sign((header, parent, metadata, content))):
        raise RemoteProtocolError(f"A message on {channel} has a wrong signature; it was dropped.")
    try:
        return Message(
            channel=channel,
            header=_object(header),
            parent_header=_parent(parent) if len(parent) < _SHORT else _object(parent),
            content=_object(content),
            metadata={} if metadata == b"{}" else _object(metadata),
            buffers=tuple(frames[start + 6 :]),
        )
    except (ValueError, RecursionError):  # a kernel chooses how deep its JSON goes
        raise RemoteProtocolError(f"A message on {channel} holds no valid JSON; it was dropped.") from None


@functools.lru_cache(maxsize=16)
def _parent(part: bytes) -> dict[str, Any]:
    """The request a message belongs to: the same bytes in all that belong to it."""
    return _object(part)


def _object(part: bytes) -> dict[str, Any]:
    # Kernels write surrogates and undecodable file names with errors="surrogateescape".
    value = json.loads(part.decode("utf-8", "surrogateescape"))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
