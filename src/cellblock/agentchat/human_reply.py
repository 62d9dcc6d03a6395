"""Whether a chat ends here, and what the person behind an agent says to that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cellblock.agentchat.printing import print_event

if TYPE_CHECKING:
    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.calls import Calls
    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.replying_agent import ReplyingAgent

__all__ = ["HumanInputMode", "check_termination_and_human_reply"]

HumanInputMode = Literal["ALWAYS", "NEVER", "TERMINATE"]
"""When the person is asked: at every turn, never, or when the chat would end."""

_STOP = "exit"


async def check_termination_and_human_reply(
    calls: Calls, agent: ReplyingAgent, messages: list[Message], sender: Agent | None
) -> tuple[bool, Message | None]:
    """Whether there is nothing left to ask the other reply functions for, and then the reply: None ends the chat."""
    message = messages[-1] if messages else {}
    ends = agent.is_termination_msg(message)
    exhausted = agent.auto_replies.exhausted(sender)
    prompt = _prompt(agent, sender, ends, exhausted)
    if prompt is None:
        answer = _STOP if agent.human_input_mode == "NEVER" and (ends or exhausted) else ""
    else:
        answer = await calls.ask_human(agent, prompt)
        if not answer:
            print_event("NO HUMAN INPUT RECEIVED.")
            answer = _STOP if ends else ""
    if answer == _STOP:
        agent.auto_replies.reset(sender)
        agent.stop_reason = _reason(agent, sender, ends, asked=prompt is not None)
        return True, None
    if answer or agent.auto_replies.limit(sender) == 0:
        agent.auto_replies.reset(sender)
        return True, {"role": "user", "content": answer}
    agent.auto_replies.count(sender)
    if agent.human_input_mode != "NEVER":
        print_event("USING AUTO REPLY...")
    return False, None


def _prompt(agent: ReplyingAgent, sender: Agent | None, ends: bool, exhausted: bool) -> str | None:
    """What to ask the person now, if anything."""
    who = sender.name if sender is not None else "the sender"
    if agent.human_input_mode == "ALWAYS":
        return (
            f"Replying as {agent.name}. Provide feedback to {who}. Press enter to skip and use auto-reply, or type 'exit' "
            "to end the conversation: "
        )
    if agent.human_input_mode == "NEVER" or not (ends or exhausted):
        return None
    if ends:
        return f"Please give feedback to {who}. Press enter or type 'exit' to stop the conversation: "
    return f"Please give feedback to {who}. Press enter to skip and use auto-reply, or type 'exit' to stop the conversation: "


def _reason(agent: ReplyingAgent, sender: Agent | None, ends: bool, *, asked: bool) -> str:
    other = sender.name if sender is not None else "the sender"
    if asked and not ends:
        return f"The person behind {agent.name} ended the chat."
    if ends:
        return f"{other} sent a message that ends the chat."
    limit = agent.auto_replies.limit(sender)
    return f"{agent.name} has replied {limit} time{'' if limit == 1 else 's'} in a row, which is its limit."
