"""Functions of the user that change messages on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.calls import Calls
    from cellblock.agentchat.messages import Message

__all__ = ["Hooks"]


_PLACES = ("process_message_before_send", "process_all_messages_before_reply", "process_last_received_message")


class Hooks:
    """An agent's hooks, called in the order in which they were registered."""

    def __init__(self) -> None:
        self._by_place: dict[str, list[Callable[..., Any]]] = {
            place: [] for name in _PLACES for place in (name, f"a_{name}")
        }

    def register(self, place: str, hook: Callable[..., Any]) -> None:
        """Adds a hook.

        Args:
            place: "process_message_before_send" (``hook(sender=, message=, recipient=, silent=)``),
                "process_all_messages_before_reply" (``hook(messages)``) or "process_last_received_message"
                (``hook(content)``). Each gives what takes the place of its message, messages or content. With ``a_`` before
                it, the place of asynchronous chats alone: its hooks are called there in the place of the others.
            hook: The function.

        Raises:
            ConfigError: There is no such place.
        """
        if place not in self._by_place:
            raise ConfigError(f"There is no place {place!r} for a hook. The places are: {', '.join(self._by_place)}.")
        self._by_place[place].append(hook)

    async def before_send(
        self, calls: Calls, message: Message | str, sender: Agent, recipient: Agent, silent: bool | None
    ) -> Message | str:
        """A message as it is to be sent."""
        for hook in self._at(calls, "process_message_before_send"):
            message = await calls.function(hook, sender=sender, message=message, recipient=recipient, silent=silent)
        return message

    async def before_reply(self, calls: Calls, messages: list[Message]) -> list[Message]:
        """The messages that a reply is to be made to."""
        last_hooks = self._at(calls, "process_last_received_message")
        if last_hooks and messages and messages[-1].get("content"):
            content = messages[-1]["content"]
            for hook in last_hooks:
                content = await calls.function(hook, content)
            messages = [*messages[:-1], {**messages[-1], "content": content}]
        for hook in self._at(calls, "process_all_messages_before_reply"):
            messages = await calls.function(hook, messages)
        return messages

    def _at(self, calls: Calls, place: str) -> list[Callable[..., Any]]:
        return (calls.awaits and self._by_place[f"a_{place}"]) or self._by_place[place]
