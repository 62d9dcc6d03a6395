"""An agent's reply by its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellblock.agentchat.calls import Calls
    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.models.reply import Model
    from cellblock.agentchat.replying_agent import ReplyingAgent

__all__ = ["model_reply"]


async def model_reply(
    calls: Calls, agent: ReplyingAgent, model: Model | None, messages: list[Message]
) -> tuple[bool, str | None]:
    """Whether there is a model, and its reply.

    Args:
        calls: Makes the calls.
        agent: Whose reply it is.
        model: What is asked.
        messages: The chat so far, to which the agent's system message is added.
    """
    if model is None:
        return False, None
    system: Message = {"content": agent.system_message, "role": "system"}
    reply = await calls.ask_model(model, [system, *messages] if agent.system_message else messages)
    agent.usage.add(reply)
    return True, reply.content
