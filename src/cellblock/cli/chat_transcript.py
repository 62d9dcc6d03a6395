"""A chat as a Markdown document: for people to read, and to be replayed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError
from cellblock.notebook.reading import read_text
from cellblock.notebook_file import replacing

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RUNNER", "USER", "WRITER", "Transcript", "TranscriptFile", "read_transcript"]

USER, WRITER, RUNNER = "user", "writer", "runner"

_MARK = re.compile(r"^<!-- message from (\w+) -->\n(?:## .*\n\n?)?", re.MULTILINE)
_LOOKS_LIKE_MARK = re.compile(r"^(\\*)(<!-- message from )", re.MULTILINE)
_ESCAPED = re.compile(r"^\\(\\*<!-- message from )", re.MULTILINE)


@dataclass(frozen=True)
class Transcript:
    """What was said in a chat.

    Attributes:
        messages: Who said what, in order.
    """

    messages: tuple[tuple[str, str], ...]

    @property
    def task(self) -> str:
        """What the chat is about."""
        return next((text for speaker, text in self.messages if speaker == USER), "")

    @property
    def replies(self) -> list[str]:
        """What the model said."""
        return [text for speaker, text in self.messages if speaker == WRITER]


class TranscriptFile:
    """A transcript that grows message by message and is whole at every moment.

    Args:
        path: Where it is; a file that is there is replaced with the first message.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = ""

    def add(self, speaker: str, text: str) -> None:
        """Adds a message.

        Args:
            speaker: USER, WRITER or RUNNER.
            text: What was said.
        """
        escaped = _LOOKS_LIKE_MARK.sub(r"\\\1\2", text.rstrip("\n"))
        self._text += f"<!-- message from {speaker} -->\n## {speaker}\n\n{escaped}\n\n"
        with replacing(self._path) as file:
            file.write(self._text.encode("utf-8", "replace"))


def read_transcript(path: Path) -> Transcript:
    """Reads a transcript that ``TranscriptFile`` wrote.

    Args:
        path: The file.

    Raises:
        ConfigError: It cannot be read, or is no transcript.
    """
    _, *pieces = _MARK.split(read_text(str(path)))
    texts = [_ESCAPED.sub(r"\1", text.strip("\n")) for text in pieces[1::2]]
    transcript = Transcript(tuple(zip(pieces[::2], texts, strict=True)))
    if not transcript.replies:
        raise ConfigError(f"{path} is no transcript of a chat. Name a chat.md that `cellblock chat` wrote.")
    return transcript
