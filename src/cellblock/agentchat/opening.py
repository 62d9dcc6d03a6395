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

__all__ = ["InvalidCarryOverType", "OpeningMessage", "opening_message"]

OpeningMessage = Message | str | Callable[["Agent", "Agent", dict[str, Any]], Message | str] | None
"""What opens a chat: a message, a function of both agents and the context that makes one, or None to ask a person."""


class InvalidCarryOverType(ConfigError):
    """What is carried over is neither text nor a list of texts."""

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
        InvalidCarryOverType: ``carryover`` is neither text nor a list of texts.
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
        return {**message, "content": [*content, {"type": "text", "text": carried}]}
    return {**message, "content": (content or "") + carried}


def _carried(carryover: Any) -> str:
    """What is added to the message."""
    if not carryover:
        return ""
    if isinstance(carryover, str):
        return f"\nContext: \n{carryover}"
    if isinstance(carryover, list) and all(isinstance(item, str) for item in carryover):
        return "\nContext: \n" + "\n".join(carryover)
    raise InvalidCarryOverType
