"""The forms in which chat APIs take text and images, and the images they refuse.

A refused image fails its request, and every later request of the conversation that holds it. Sources: OpenAI's guide
"Images and vision" and Anthropic's guide "Vision", with the limits of one image.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellblock._core.mime import image_size, is_animated
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ChatApi", "chat_api"]


@dataclass(frozen=True, slots=True)
class ChatApi:
    """What one API takes.

    Attributes:
        image_part: Gives the part of a message that shows an image, from its type and its base64.
        max_base64: Characters of base64 an image may have.
        max_side: Pixels an image may be wide or high; None for no limit.
        animations: Whether a GIF may have more than one frame.
    """

    image_part: Callable[[str, str], dict[str, Any]]
    max_base64: int
    max_side: int | None
    animations: bool

    def text_part(self, text: str) -> dict[str, Any]:
        """Gives the part of a message that says something.

        Args:
            text: Not blank: Anthropic refuses that.
        """
        return {"type": "text", "text": text}

    def image_part_of(self, media_type: str, data: bytes) -> dict[str, Any] | None:
        """Gives the part of a message that shows an image, or None if the API would refuse it.

        Args:
            media_type: What the data is: PNG, JPEG, GIF or WebP.
            data: The content of the image file.
        """
        encoded = base64.b64encode(data).decode()
        too_wide = self.max_side is not None and max(image_size(data) or (0, 0)) > self.max_side
        if len(encoded) > self.max_base64 or too_wide or (is_animated(data) and not self.animations):
            return None
        return self.image_part(media_type, encoded)


def chat_api(name: str) -> ChatApi:
    """Gives what the API of a name takes.

    Args:
        name: "openai" or "anthropic".

    Raises:
        ConfigError: There is no such API.
    """
    if name not in _APIS:
        raise ConfigError(f'The api must be "openai" or "anthropic", not {name!r}.')
    return _APIS[name]


def _openai_image(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}}


def _anthropic_image(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


_APIS = {
    "openai": ChatApi(_openai_image, max_base64=20 * 1024 * 1024, max_side=None, animations=False),
    "anthropic": ChatApi(_anthropic_image, max_base64=5 * 1024 * 1024, max_side=8000, animations=True),
}
