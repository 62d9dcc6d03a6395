"""What a chat comes to, in a few words."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellblock.agentchat.calls import Calls
    from cellblock.agentchat.conversable_agent import ConversableAgent

__all__ = ["DEFAULT_SUMMARY_PROMPT", "SummaryMethod", "check_summary_method", "summarize"]

DEFAULT_SUMMARY_PROMPT = "Summarize the takeaway from the conversation. Do not add any introductory phrases."

SummaryMethod = str | Callable[["ConversableAgent", "ConversableAgent", Mapping[str, Any]], Any] | None
"""How a chat is summarized; see ``summarize``."""


def check_summary_method(method: SummaryMethod, initiator: ConversableAgent, recipient: ConversableAgent) -> None:
    """Does nothing if a chat between these agents can be summarized so.

    Args:
        method: The ``summary_method``.
        initiator: Who begins the chat.
        recipient: Whom it talks to.

    Raises:
        AssertionError: It cannot.
    """
    if not (method is None or callable(method) or method in ("last_msg", "reflection_with_llm")):
        raise AssertionError(
            "summary_method must be a string chosen from 'reflection_with_llm' or 'last_msg' or a callable, or None."
        )
    if method == "reflection_with_llm" and recipient.model is None and initiator.model is None:
        raise AssertionError(
            "llm client must be set in either the recipient or sender when summary_method is reflection_with_llm."
        )


async def summarize(
    calls: Calls,
    method: SummaryMethod,
    arguments: Mapping[str, Any],
    initiator: ConversableAgent,
    recipient: ConversableAgent,
) -> Any:
    """The summary of a chat.

    Args:
        calls: Makes the calls.
        method: "last_msg" (the last message without the word TERMINATE), "reflection_with_llm" (a model is asked), a function of
            both agents and the arguments, or None for an empty summary.
        arguments: ``summary_prompt`` and ``summary_role`` for a model.
        initiator: Who began the chat.
        recipient: Whom it talked to; its model is asked before the initiator's.
    """
    if method is None:
        return ""
    if method == "last_msg":
        return _last_message(initiator, recipient)
    try:
        if callable(method):
            return await calls.function(method, initiator, recipient, arguments)
        return await _reflection(calls, arguments, initiator, recipient)
    except Exception as error:  # whatever is raised: the chat itself is done and its result must not be lost
        what = f"its summary_method failed: {error!r}" if callable(method) else f"the model failed: {error}"
        warnings.warn(f"The chat has no summary, because {what}", stacklevel=2)
        return ""


def _last_message(initiator: ConversableAgent, recipient: ConversableAgent) -> str:
    messages = recipient.chat_messages[initiator]
    content = messages[-1]["content"] if messages else None
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content if part["type"] == "text")
    return (content or "").replace("TERMINATE", "")


async def _reflection(
    calls: Calls, arguments: Mapping[str, Any], initiator: ConversableAgent, recipient: ConversableAgent
) -> str:
    agent = recipient if recipient.model is not None else initiator
    assert agent.model is not None
    prompt = arguments.get("summary_prompt") or DEFAULT_SUMMARY_PROMPT
    request = {"role": arguments.get("summary_role") or "system", "content": prompt}
    reply = await calls.ask_model(agent.model, [*recipient.chat_messages[initiator], request])
    agent.usage.add(reply)
    return reply.content
