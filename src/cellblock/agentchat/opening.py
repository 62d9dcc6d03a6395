"""The message that opens a chat."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from cellblock.agentchat.messages import Message
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.calls import Calls
    from cellblock.agentchat.replying_agent import ReplyingAgent

__all__ = ["InvalidCarryOverType", "OpeningMessage", "check_carryover", "opening_message"]

OpeningMessage = Message | str | Callable[["Agent", "Agent", dict[str, Any]], Message | str] | None
"""What opens a chat: a message, a function of both agents and the context that makes one, or None to ask a person."""


class InvalidCarryOverType(ConfigError):
    """What is carried over is neither text nor a list."""

    def __init__(
        self, message: str = "Carryover should be a string or a list of strings. Not adding carryover to the message."
    ) -> None:
        super().__init__(message)


async def opening_message(
    calls: Calls, initiator: ReplyingAgent, recipient: Agent, message: OpeningMessage, context: dict[str, Any]
) -> Message | str:
    """The first message of a chat, made of what ``initiate_chat`` was given.

    Args:
        calls: Makes the calls.
        initiator: Who says it; if ``message`` is None, the person behind it is asked.
        recipient: Who is to hear it.
        message: Text, a message, or a function of both agents and the context that gives either.
        context: The further arguments; ``carryover`` is added to a message, but left to a function.

    Raises:
        InvalidCarryOverType: ``carryover`` is neither text nor a list.
    """
    if callable(message):
        return cast("Message | str", await calls.function(message, initiator, recipient, context))
    if message is None:
        message = await calls.ask_human(initiator, ">")
    carried = _carried(context.get("carryover"))
    if not carried:
        return message
    if isinstance(message, str):
        return message + carried
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [{"type": "text", "text": carried}, *content]}
    return {**message, "content": (content or "") + carried}


def check_carryover(carryover: Any) -> None:
    """Does nothing if this can be carried over to a chat.

    Args:
        carryover: Text, or a list of texts, of messages or of anything else.

    Raises:
        InvalidCarryOverType: It is neither.
    """
    if carryover and not isinstance(carryover, str | list):
        raise InvalidCarryOverType


def _carried(carryover: Any) -> str:
    """What is added to the message."""
    check_carryover(carryover)
    if not carryover:
        return ""
    items = [carryover] if isinstance(carryover, str) else carryover
    return "\nContext: \n" + "\n".join(map(_as_text, items))


def _as_text(item: Any) -> str:
    return str(item["content"] if isinstance(item, dict) and "content" in item else item)
