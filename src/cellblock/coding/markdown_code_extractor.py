"""The code blocks of a chat message written in Markdown."""

from __future__ import annotations

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
        text = _without_margin(content_text(message))
        return [
            CodeBlock(code=block.code, language=block.language or infer_language(block.code))
            for block in extract_blocks(text)
            if block.closed
        ]


def _without_margin(text: str) -> str:
    """The text without the spaces that all its lines begin with; lines of spaces only stay as they are beyond those."""
    lines = text.split("\n")
    margins = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line.strip()]
    margin, furthest = min(margins, default=""), max(margins, default="")  # what these share, all between them do
    while not furthest.startswith(margin):
        margin = margin[:-1]
    if not margin:
        return text
    return "\n".join("" if margin.startswith(line) else line.removeprefix(margin) for line in lines)


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
