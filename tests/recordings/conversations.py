"""The recorded conversations, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cellblock._core.messages import Message

FOLDER = Path(__file__).parent
KERNELS = sorted(file.stem for file in FOLDER.glob("*.jsonl"))


@dataclass(frozen=True)
class Conversation:
    """A request for a cell and what came until it was over, in the order of arrival."""

    kernel: str
    cell: str
    request: Message
    messages: tuple[Message, ...]

    def __str__(self) -> str:
        return f"{self.kernel}-{self.cell}"


def conversations(kernel: str) -> list[Conversation]:
    """All that was recorded of a kernel."""
    requests: dict[str, Message] = {}
    messages: dict[str, list[Message]] = {}
    for line in (FOLDER / f"{kernel}.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if "request" in entry:
            requests[entry["cell"]] = _message(entry["request"])
        else:
            messages.setdefault(entry["cell"], []).append(_message(entry["message"]))
    return [Conversation(kernel, cell, request, tuple(messages[cell])) for cell, request in requests.items()]


def _message(fields: dict) -> Message:
    return Message(**{**fields, "buffers": ()})
