"""Messages, and an agent's record of its chats."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock.agentchat.agent import Agent

__all__ = ["History", "Message", "as_message"]

Message = dict[str, Any]
"""A message as chat APIs have it: ``content`` (text, or parts), ``role`` and ``name``."""

_KEPT_KEYS = frozenset({"content", "name", "context", "function_call", "tool_calls", "tool_call_id", "tool_responses"})
_OWN_ROLES = frozenset({"function", "tool"})


def as_message(message: Message | str) -> Message:
    """A message given as text or as a dict, as a dict of its own.

    Args:
        message: What somebody says.
    """
    return {"content": message} if isinstance(message, str) else dict(message)


class History:
    """What one agent has said and heard, by whom it talked to.

    Args:
        name: The agent's name.
        chat_messages: Chats it had before.

    Attributes:
        chats: The messages of each chat, oldest first: its own with the role "assistant", the others' as "user".
    """

    def __init__(self, name: str, chat_messages: Mapping[Agent, list[Message]] | None = None) -> None:
        self._name = name
        self.chats: defaultdict[Agent, list[Message]] = defaultdict(list, chat_messages or {})

    def add_sent(self, message: Message, recipient: Agent) -> None:
        """Records what this agent says.

        Raises:
            ConfigError: It is no message.
        """
        self._add(message, "assistant", self._name, recipient)

    def add_received(self, message: Message, sender: Agent) -> None:
        """Records what this agent hears.

        Raises:
            ConfigError: It is no message.
        """
        self._add(message, "user", sender.name, sender)

    def last(self, other: Agent | None) -> Message | None:
        """The last message of the chat with an agent; without one, of the only chat, or None if there was none.

        Raises:
            KeyError: There was no chat with that agent.
            ConfigError: No agent is named and there is more than one chat.
        """
        if other is None:
            if len(self.chats) > 1:
                raise ConfigError("More than one conversation is found. Say whose last message is wanted.")
            return next((messages[-1] for messages in self.chats.values() if messages), None)
        if other not in self.chats:
            raise KeyError(
                f"The agent '{other.name}' is not present in any conversation. No history is available for it."
            )
        return self.chats[other][-1]

    def clear(self, other: Agent | None = None, keep: int | None = None) -> None:
        """Forgets the chat with one agent, or all.

        Args:
            other: The agent; None for all.
            keep: How many of the last messages of each chat stay.
        """
        for messages in list(self.chats.values()) if other is None else [self.chats[other]]:
            del messages[: -keep if keep else None]
        if other is None and not keep:
            self.chats.clear()

    def _add(self, message: Message, role: str, speaker: str, other: Agent) -> None:
        entry = {key: value for key, value in message.items() if key in _KEPT_KEYS and value is not None}
        if "function_call" in entry or "tool_calls" in entry:
            entry.setdefault("content", None)
        if "content" not in entry:
            raise ConfigError(
                "Message can't be converted into a valid ChatCompletion message. Either content or function_call must be "
                "provided."
            )
        own_role = message.get("role")
        entry["role"] = own_role if own_role in _OWN_ROLES else role
        entry.setdefault("name", speaker)
        self.chats[other].append(entry)
