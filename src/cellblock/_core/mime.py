"""Reading MIME bundles, which come from anybody's code and may hold anything.

Every reader gives None for what is absent or broken, so that a renderer can leave it to the next one.
"""

from __future__ import annotations

import binascii
import json
import re
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellblock._core.outputs import MimeBundle

__all__ = [
    "binary_value",
    "byte_count",
    "image_size",
    "image_type",
    "informative_text",
    "is_animated",
    "json_text",
    "text_value",
]

_OBJECT_REPR = re.compile(r"\s*<[^\n]*>\s*")

_SIGNATURES = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}

_GIF_FRAME = re.compile(rb"\x21\xf9\x04.{4}\x00", re.DOTALL)  # a graphic control extension, one before each frame

# A JPEG is a row of segments: marker, length, content. The frame header holds height and width.
_JPEG_SEGMENT = re.compile(rb"\xff+([\xc0-\xfe])(..)", re.DOTALL)
_JPEG_NO_FRAME = (0xC4, 0xC8, 0xCC)  # markers among the frame headers' that mean something else


def text_value(bundle: MimeBundle, media_type: str) -> str | None:
    """Gives the text of a type, joined if a kernel sent it as a list of lines.

    Args:
        bundle: Any bundle.
        media_type: Such as "text/html".
    """
    value = bundle.get(media_type)
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value if isinstance(value, str) else None


def binary_value(bundle: MimeBundle, media_type: str) -> bytes | None:
    """Gives the bytes of a type that is sent as base64.

    Args:
        bundle: Any bundle.
        media_type: Such as "image/png".
    """
    text = text_value(bundle, media_type)
    if text is None:
        return None
    try:
        data = binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        return None
    return data or None


def json_text(value: Any) -> str | None:
    """Gives a JSON value as readable text.

    Args:
        value: What a bundle holds under a JSON type.
    """
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return None


def informative_text(bundle: MimeBundle) -> str | None:
    """Gives the plain text of an object, unless it only names the object (``<Figure size 640x480 with 1 Axes>``).

    Args:
        bundle: Any bundle.
    """
    text = text_value(bundle, "text/plain")
    if text is None or not text.strip() or _OBJECT_REPR.fullmatch(text):
        return None
    return text


def image_type(data: bytes) -> str | None:
    """Gives the MIME type a raster image really has, by its first bytes.

    Args:
        data: The content of an image file.
    """
    return next((media_type for media_type, signature in _SIGNATURES.items() if signature.match(data)), None)


def image_size(data: bytes) -> tuple[int, int] | None:
    """Gives the width and height of a PNG, JPEG, GIF or WebP image in pixels.

    Args:
        data: The content of an image file.
    """
    media_type = image_type(data)
    if media_type is None:
        return None
    try:
        size = _SIZES[media_type](data)
    except struct.error:  # the header is cut off
        return None
    return (size[0], size[1]) if size and all(size) else None


def is_animated(data: bytes) -> bool:
    """Tells whether a GIF has more than one frame.

    Args:
        data: The content of an image file.
    """
    return image_type(data) == "image/gif" and len(_GIF_FRAME.findall(data)) > 1


def byte_count(count: int) -> str:
    """Gives a number of bytes in the unit a person would use, as in "12.3 kB".

    Args:
        count: The number of bytes.
    """
    if count < 1000:
        return f"{count} B"
    for unit, size in (("kB", 10**3), ("MB", 10**6)):
        if count < 999.95 * size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 10**9:.1f} GB"


def _png_size(data: bytes) -> tuple[int, ...]:
    return struct.unpack_from(">II", data, 16)


def _gif_size(data: bytes) -> tuple[int, ...]:
    return struct.unpack_from("<HH", data, 6)


def _jpeg_size(data: bytes) -> tuple[int, ...]:
    position = 2
    while segment := _JPEG_SEGMENT.match(data, position):
        marker = segment[1][0]
        if 0xC0 <= marker <= 0xCF and marker not in _JPEG_NO_FRAME:
            height, width = struct.unpack_from(">HH", data, segment.end() + 1)  # after the sample precision
            return width, height
        position = segment.end() - 2 + int.from_bytes(segment[2], "big")
    return ()


def _webp_size(data: bytes) -> tuple[int, ...]:
    chunk = data[12:16]
    if chunk == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return ()


_SIZES = {"image/png": _png_size, "image/jpeg": _jpeg_size, "image/gif": _gif_size, "image/webp": _webp_size}
