"""The printed form of a chat: AutoGen 0.2's, which programs and documents match on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cellblock.agentchat.io import IOStream
from cellblock.coding.markdown_code_extractor import content_text

if TYPE_CHECKING:
    from cellblock.agentchat.messages import Message

__all__ = ["print_event", "print_message", "print_start"]

_RED, _YELLOW, _BLUE = 31, 33, 34


def print_message(message: Message, sender: str, receiver: str) -> None:
    """Prints a message as its receiver got it.

    Args:
        message: The message.
        sender: Who sent it, by name.
        receiver: Who got it, by name.
    """
    stream = IOStream.get_default()
    stream.print(_coloured(sender, _YELLOW), f"(to {receiver}):\n", flush=True)
    stream.print(content_text(message.get("content")), flush=True)
    stream.print("\n", "-" * 80, sep="", flush=True)


def print_event(text: str) -> None:
    """Prints a line that says what an agent does now.

    Args:
        text: What it does, in capitals by custom.
    """
    IOStream.get_default().print(_coloured(f"\n>>>>>>>> {text}", _RED), flush=True)


def print_start() -> None:
    """Prints that the next of several chats begins."""
    stream = IOStream.get_default()
    line = "\n" + "*" * 80
    for text in (line, "Starting a new chat....", line):
        stream.print(_coloured(text, _BLUE), flush=True)


def _coloured(text: str, colour: int) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if _colours_are_wanted() else text


def _colours_are_wanted() -> bool:
    """NO_COLOR and FORCE_COLOR decide (see no-color.org and force-color.org), then whether there is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and sys.stdout is not None and sys.stdout.isatty()
