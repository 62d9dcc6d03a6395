"""A chat as a Markdown document: for people to read, and to be replayed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cellblock.cli.chat_decisions import read_decision
from cellblock.errors import ConfigError
from cellblock.notebook.reading import read_text
from cellblock.notebook_file import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from cellblock.cli.chat_decisions import Decision

__all__ = ["APPROVAL", "RUNNER", "USER", "WRITER", "RecordedReply", "Transcript", "TranscriptFile", "read_transcript"]

USER, WRITER, RUNNER, APPROVAL = "user", "writer", "runner", "approval"

_MARK = re.compile(r"^<!-- message from (\w+) -->\n(?:## .*\n\n?)?", re.MULTILINE)
_LOOKS_LIKE_MARK = re.compile(r"^(\\*)(<!-- message from )", re.MULTILINE)
_ESCAPED = re.compile(r"^\\(\\*<!-- message from )", re.MULTILINE)


@dataclass(frozen=True)
class RecordedReply:
    """What the model said at one time.

    Attributes:
        text: The message.
        decisions: What a person decided about its blocks, by their numbers from 1.
    """

    text: str
    decisions: dict[int, Decision] = field(default_factory=dict)


@dataclass(frozen=True)
class Transcript:
    """What was said in a chat.

    Attributes:
        task: What the chat is about; empty if nobody said.
        replies: What the model said, in order.
    """

    task: str = ""
    replies: tuple[RecordedReply, ...] = ()


class TranscriptFile:
    """A transcript that grows message by message and is whole at every moment.

    Args:
        path: Where it is; what is in a file that is there is replaced with the first message.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = ""

    def add(self, speaker: str, text: str) -> None:
        """Adds a message.

        Args:
            speaker: USER, WRITER, RUNNER or APPROVAL.
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
    task: str | None = None
    replies: list[RecordedReply] = []
    for speaker, text in zip(pieces[::2], texts, strict=True):
        if speaker == USER and task is None:
            task = text
        elif speaker == WRITER:
            replies.append(RecordedReply(text))
        elif speaker == APPROVAL and replies and (decision := read_decision(text)):
            replies[-1].decisions.update([decision])
    if not replies:
        raise ConfigError(f"{path} is no transcript of a chat. Name a chat.md that `cellblock chat` wrote.")
    return Transcript(task or "", tuple(replies))
