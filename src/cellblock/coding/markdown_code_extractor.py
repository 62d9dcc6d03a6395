"""The code blocks of a chat message written in Markdown."""

from __future__ import annotations

from textwrap import dedent

from cellblock._core.markdown import extract_blocks, infer_language
from cellblock.coding.base import CodeBlock, MessageContent
from cellblock.errors import ConfigError

__all__ = ["MarkdownCodeExtractor", "content_text"]


class MarkdownCodeExtractor:
    """Takes the fenced blocks out of a message."""

    def extract_code_blocks(self, message: MessageContent) -> list[CodeBlock]:
        """The fenced blocks of a message, in order.

        A block that names no language gets the one its code seems to have. A block without a closing fence is code
        that the writer was cut off in, and is left out.

        Args:
            message: A message's content; of parts, the text is read.

        Raises:
            TypeError: ``message`` is no message content.
            ConfigError: A part of it is of an unknown type.
        """
        # A message taken from an indented string of a program is indented as a whole, which is no Markdown.
        text = dedent(content_text(message))
        return [
            CodeBlock(code=block.code, language=block.language or infer_language(block.code))
            for block in extract_blocks(text)
            if block.closed
        ]


def content_text(content: MessageContent) -> str:
    """A message's content as text; an image shows as ``<image>``.

    Args:
        content: Text, parts, or None for an empty text.

    Raises:
        TypeError: It is something else.
        ConfigError: A part is of an unknown type.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise TypeError(f"A message's content is text, a list of parts or None, not {type(content).__name__}.")
    return "".join(_part_text(part) for part in content)


def _part_text(part: dict[str, object]) -> str:
    if not isinstance(part, dict):
        raise TypeError(f"Wrong content format: a part of a message is a dict, not {type(part).__name__}.")
    kind = part.get("type")
    if kind == "text":
        return str(part.get("text", ""))
    if kind == "image_url":
        return "<image>"
    raise ConfigError(f'Wrong content format: a part of a message has the type "text" or "image_url", not {kind!r}.')
