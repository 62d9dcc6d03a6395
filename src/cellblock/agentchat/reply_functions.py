"""The functions an agent asks, one after the other, for its reply."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellblock.agentchat.agent import Agent
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ReplyFunction", "ReplyFunctions", "Trigger", "matches"]

Trigger = type[Agent] | str | Agent | Callable[[Agent], bool] | list[Any] | None
"""Whom a reply function is for: a class of agents, a name, an agent, a test, any of several of these, or no one."""


@dataclass
class ReplyFunction:
    """One registered function.

    Attributes:
        trigger: Whose messages it may reply to.
        function: Called as ``function(agent, messages=, sender=, config=)``; gives whether it has the reply, and the reply.
        config: What it is given as ``config``.
        initial_config: ``config`` as it was registered.
        reset_config: Resets a config in place; called with it by the agent's ``reset()``.
        skipped_in_sync_chat: For an asynchronous function: whether a blocking chat goes on without it.
        skipped_in_async_chat: Whether an asynchronous chat goes on without it, for a twin of its own is asked there.
        async_twin: For a built-in function: the same at the same place, to be awaited.
    """

    trigger: Trigger
    function: Callable[..., Any]
    config: Any = None
    initial_config: Any = None
    reset_config: Callable[[Any], None] | None = None
    skipped_in_sync_chat: bool = False
    skipped_in_async_chat: bool = False
    async_twin: Callable[..., Any] | None = None

    def reset(self) -> None:
        """Makes the config what it was in the beginning."""
        if self.reset_config is not None:
            self.reset_config(self.config)
        else:
            self.config = copy.copy(self.initial_config)


class ReplyFunctions:
    """An agent's reply functions, the first one asked first."""

    def __init__(self) -> None:
        self._entries: list[ReplyFunction] = []

    def register(self, entry: ReplyFunction, position: int) -> None:
        """Adds a function at a position of the list.

        Raises:
            ConfigError: The trigger is none.
        """
        triggers = entry.trigger if isinstance(entry.trigger, list) else [entry.trigger]
        for trigger in triggers:
            _check(trigger)
        self._entries.insert(position, entry)

    def replace(self, old: Callable[..., Any], new: Callable[..., Any]) -> None:
        """Puts a function in the place of another, for the same triggers."""
        for entry in self._entries:
            if entry.function == old:
                entry.function, entry.async_twin, entry.skipped_in_async_chat = new, None, False

    def clear(self) -> None:
        """Forgets all functions, the built-in ones included."""
        self._entries.clear()

    def reset(self) -> None:
        """Makes every config what it was in the beginning."""
        for entry in self._entries:
            entry.reset()

    def applicable(self, sender: Agent | None, exclude: list[Callable[..., Any]]) -> Iterator[ReplyFunction]:
        """The functions to ask for a reply to a sender, in order.

        Args:
            sender: Whom the reply is for.
            exclude: Functions not to ask.
        """
        for entry in list(self._entries):
            if entry.function not in exclude and entry.async_twin not in exclude and matches(entry.trigger, sender):
                yield entry

    def only_async(self) -> list[str]:
        """The names of functions that a blocking chat cannot call and may not go without."""
        return [
            entry.function.__name__
            for entry in self._entries
            if inspect.iscoroutinefunction(entry.function) and not entry.skipped_in_sync_chat
        ]


def matches(trigger: Trigger, sender: Agent | None) -> bool:
    """Whether a trigger is for messages of a sender.

    Raises:
        ConfigError: It is no trigger.
    """
    if trigger is None:
        return sender is None
    if isinstance(trigger, str):
        return sender is not None and sender.name == trigger
    if isinstance(trigger, type):
        return isinstance(sender, trigger)
    if isinstance(trigger, list):
        return any(matches(one, sender) for one in trigger)
    if isinstance(trigger, Agent):
        return sender is trigger
    _check(trigger)
    return sender is not None and bool(trigger(sender))


def _check(trigger: Any) -> None:
    if not (trigger is None or isinstance(trigger, str | type | list | Agent) or callable(trigger)):
        raise ConfigError("trigger must be a class, a string, an agent, a callable or a list.")
