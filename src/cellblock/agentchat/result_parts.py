"""What running code came to, as parts of a message for a model that can see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellblock._core.chat_api import chat_api
from cellblock._core.mime import image_type
from cellblock.coding.base import IPythonCodeResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellblock.coding.base import CodeResult

__all__ = ["result_parts"]


def result_parts(result: CodeResult) -> list[dict[str, Any]]:
    """The text of a result and the images the code made: where they were shown if that is known, else after the text.

    Args:
        result: The result of any executor; ``output_files`` is used if it is there.
    """
    if isinstance(result, IPythonCodeResult) and result.cells:
        return result.for_model()
    return [*([{"type": "text", "text": result.output}] if result.output else []), *_images(result)]


def _images(result: CodeResult) -> Iterator[dict[str, Any]]:
    """Those of the files that models take; a file that is not there or is no image is only named by the text."""
    api = chat_api("openai")
    for path in map(Path, getattr(result, "output_files", None) or ()):
        try:
            data = path.read_bytes() if path.stat().st_size <= api.max_base64 else b""
        except OSError:
            continue
        media_type = image_type(data)
        part = api.image_part_of(media_type, data) if media_type else None
        if part is not None:
            yield part
