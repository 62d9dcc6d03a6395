"""What an agent is: anybody who can send, receive and reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from cellblock.agentchat.messages import Message

__all__ = ["Agent"]


@runtime_checkable
class Agent(Protocol):
    """A party of a chat. Any object with these members can talk to a ``ConversableAgent``."""

    @property
    def name(self) -> str:
        """What the others call it."""
        ...

    @property
    def description(self) -> str:
        """What it is for, in a sentence or two."""
        ...

    def send(self, message: Message | str, recipient: Agent, request_reply: bool | None = None) -> None:
        """Sends a message.

        Args:
            message: What to say.
            recipient: Who is to get it.
            request_reply: Whether the recipient is to reply; None leaves it to the recipient.
        """
        ...

    async def a_send(self, message: Message | str, recipient: Agent, request_reply: bool | None = None) -> None:
        """As ``send``, without blocking the event loop."""
        ...

    def receive(self, message: Message | str, sender: Agent, request_reply: bool | None = None) -> None:
        """Takes a message, and may reply to it.

        Args:
            message: What was said.
            sender: Who said it.
            request_reply: Whether a reply is wanted; None leaves it to this agent.
        """
        ...

    async def a_receive(self, message: Message | str, sender: Agent, request_reply: bool | None = None) -> None:
        """As ``receive``, without blocking the event loop."""
        ...

    def generate_reply(
        self, messages: list[Message] | None = None, sender: Agent | None = None
    ) -> Message | str | None:
        """What this agent has to say; None for nothing, which ends a chat.

        Args:
            messages: The chat so far; by default this agent's own record of it.
            sender: Whom it talks to.
        """
        ...

    async def a_generate_reply(
        self, messages: list[Message] | None = None, sender: Agent | None = None
    ) -> Message | str | None:
        """As ``generate_reply``, without blocking the event loop."""
        ...
