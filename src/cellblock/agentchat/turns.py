"""The turn loop: a message goes to its recipient, whose reply goes back, until somebody has nothing to say.

It is a loop and not a recursion, so that a chat can be as long as its agents like. Only an agent whose class sends or receives
in its own way is called to do so, and calls back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock.agentchat.messages import as_message
from cellblock.agentchat.participant import Participant
from cellblock.agentchat.printing import print_message

if TYPE_CHECKING:
    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.calls import Calls
    from cellblock.agentchat.conversable_agent import ConversableAgent
    from cellblock.agentchat.messages import Message

__all__ = ["deliver", "say", "take"]


async def say(
    calls: Calls,
    message: Message | str,
    sender: ConversableAgent,
    recipient: Agent,
    *,
    request_reply: bool | None = None,
    silent: bool | None = False,
) -> None:
    """Has an agent send a message in its own way, if its class has one.

    For the arguments see ``deliver``, which is the way of all others.
    """
    if calls.has_own_send(sender):
        await calls.send(message, sender, recipient, request_reply, silent)
    else:
        await deliver(calls, message, sender, recipient, request_reply=request_reply, silent=silent)


async def deliver(
    calls: Calls,
    message: Message | str,
    sender: ConversableAgent,
    recipient: Agent,
    *,
    request_reply: bool | None = None,
    silent: bool | None = False,
) -> None:
    """Sends a message, and the replies to and fro that follow from it.

    Args:
        calls: Makes the calls.
        message: What the sender says.
        sender: Who says it.
        recipient: Who is to hear it.
        request_reply: Whether the recipient is to reply to this message; None leaves it to the recipient.
        silent: Whether messages are not printed; the ``silent`` of the agent that speaks comes before it.

    Raises:
        ConfigError: What somebody says is no message.
    """
    from cellblock.agentchat.conversable_agent import ConversableAgent

    spoken = message
    while True:
        spoken = await sender.hooks.before_send(calls, spoken, sender, recipient, _is_silent(sender, silent))
        sender.history.add_sent(as_message(spoken), recipient)
        if not isinstance(recipient, ConversableAgent) or calls.has_own_receive(recipient):
            await calls.hand_over(spoken, sender, recipient, request_reply, silent)
            return
        reply = await take(calls, spoken, sender, recipient, request_reply=request_reply, silent=silent)
        if reply is None:
            return
        if calls.has_own_send(recipient):
            await calls.send(reply, recipient, sender, None, silent)
            return
        spoken, sender, recipient, request_reply = reply, recipient, sender, None


async def take(
    calls: Calls,
    message: Message | str,
    sender: Agent,
    recipient: ConversableAgent,
    *,
    request_reply: bool | None,
    silent: bool | None,
) -> Message | str | None:
    """Gives a message to its recipient.

    For the arguments see ``deliver``.

    Returns:
        The reply, which is still to be sent; None for no reply.
    """
    heard = as_message(message)
    recipient.history.add_received(heard, sender)
    if not _is_silent(sender, silent):
        print_message(heard, sender.name, recipient.name)
    if request_reply is False or (request_reply is None and not recipient.reply_at_receive[sender]):
        return None
    return await calls.reply_of(recipient, sender)


def _is_silent(speaker: Agent, silent: bool | None) -> bool:
    own = speaker.silent if isinstance(speaker, Participant) else None
    return bool(silent if own is None else own)
