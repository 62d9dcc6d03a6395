"""One side of a chat: its record, its limits and its functions, but not yet how it replies."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from cellblock.agentchat.auto_replies import AutoReplies
from cellblock.agentchat.hooks import Hooks
from cellblock.agentchat.messages import History
from cellblock.agentchat.reply_functions import ReplyFunction, ReplyFunctions
from cellblock.agentchat.usage import UsageLedger, UsageSummary, sum_of
from cellblock.coding.markdown_code_extractor import content_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.reply_functions import Trigger
    from cellblock.agentchat.turn_limit import TurnLimit
    from cellblock.agentchat.usage import ModelUsage

__all__ = ["Participant"]


class Participant:
    """What ``ConversableAgent`` knows and counts. For the arguments see there.

    Attributes:
        is_termination_msg: Says whether a message ends the chat.
        history: The record of its chats.
        auto_replies: How often it may reply without a person.
        hooks: Functions that change messages on their way.
        reply_functions: What it asks for its replies.
        usage: What its model has used.
        human_input: What the person behind it has typed.
        reply_at_receive: By sender, whether it replies to a message that leaves it the choice.
        silent: Whether messages of its own are not printed; None leaves it to each chat.
        turn_limits: By recipient, how often it may speak in the chat that it began.
        stop_reason: Why it ended the chat, as a sentence; empty if it did not.
    """

    def __init__(
        self,
        name: str,
        *,
        system_message: str | list[Any] | None,
        description: str | None,
        is_termination_msg: Callable[[Message], bool] | None,
        max_consecutive_auto_reply: int,
        chat_messages: Mapping[Agent, list[Message]] | None,
        silent: bool | None,
    ) -> None:
        self._name = name
        self._system_message = system_message
        self._description = content_text(system_message) if description is None else description
        self.is_termination_msg = is_termination_msg or _says_terminate
        self.history = History(name, chat_messages)
        self.auto_replies = AutoReplies(max_consecutive_auto_reply)
        self.hooks = Hooks()
        self.reply_functions = ReplyFunctions()
        self.usage = UsageLedger()
        self.human_input: list[str] = []
        self.reply_at_receive: defaultdict[Agent, bool] = defaultdict(bool)
        self.silent = silent
        self.turn_limits: dict[Agent, TurnLimit] = {}
        self.stop_reason = ""

    @property
    def name(self) -> str:
        """What the others call it."""
        return self._name

    @property
    def description(self) -> str:
        """What it is for; its first system message if nothing else was said."""
        return self._description

    @description.setter
    def description(self, value: str) -> None:
        self._description = value

    @property
    def system_message(self) -> str | list[Any] | None:
        """What its model is told first."""
        return self._system_message

    def update_system_message(self, system_message: str) -> None:
        """Changes what its model is told first."""
        self._system_message = system_message

    @property
    def chat_messages(self) -> dict[Agent, list[Message]]:
        """The messages of its chats, by whom it talked to: its own as "assistant", the others' as "user"."""
        return self.history.chats

    def last_message(self, agent: Agent | None = None) -> Message | None:
        """The last message of the chat with an agent; without one, of the only chat, or None if there was none.

        Args:
            agent: Whom it talked to.

        Raises:
            KeyError: There was no chat with that agent.
            ConfigError: No agent is named and there is more than one chat.
        """
        return self.history.last(agent)

    def register_reply(
        self,
        trigger: Trigger,
        reply_func: Callable[..., Any],
        position: int = 0,
        config: Any = None,
        reset_config: Callable[[Any], None] | None = None,
        *,
        ignore_async_in_sync_chat: bool = False,
        remove_other_reply_funcs: bool = False,
    ) -> None:
        """Adds a function that is asked for replies.

        Args:
            trigger: Whose messages it may reply to: a class of agents, a name, an agent, a test (``Agent -> bool``), any of a
                list of these, or None for messages of nobody.
            reply_func: Called as ``reply_func(agent, messages=…, sender=…, config=…)``. Gives ``(final, reply)``: with
                ``final`` true its reply is sent, and None ends the chat; with ``final`` false the next function is asked.
            position: Its place among the functions; the one at 0 is asked first. The built-in ones are, in the order of
                AutoGen: of the person behind it two (for asynchronous chats and for others), of function calls two, of tool
                calls two, of code one if it runs code, of its model two.
            config: What it is given as ``config``, in a copy.
            reset_config: Called with the config by ``reset()``; without it the config becomes what it was.
            ignore_async_in_sync_chat: For an asynchronous function: whether blocking chats go on without it.
            remove_other_reply_funcs: Whether all other functions are forgotten, the built-in ones included.

        Raises:
            ConfigError: ``trigger`` is none of these.
        """
        if remove_other_reply_funcs:
            self.reply_functions.clear()
        entry = ReplyFunction(trigger, reply_func, copy.copy(config), config, reset_config, ignore_async_in_sync_chat)
        self.reply_functions.register(entry, position)

    def replace_reply_func(self, old_reply_func: Callable[..., Any], new_reply_func: Callable[..., Any]) -> None:
        """Puts a function in the place of another, for the same triggers.

        Args:
            old_reply_func: One that is registered; the built-in ones for asynchronous chats, such as
                ``a_generate_oai_reply``, are functions of their own.
            new_reply_func: What is asked instead.
        """
        self.reply_functions.replace(old_reply_func, new_reply_func)

    def register_hook(self, hookable_method: str, hook: Callable[..., Any]) -> None:
        """Adds a function that changes messages on their way; see ``Hooks.register``."""
        self.hooks.register(hookable_method, hook)

    def max_consecutive_auto_reply(self, sender: Agent | None = None) -> int:
        """How many replies in a row to a sender are allowed without a person."""
        return self.auto_replies.limit(sender)

    def update_max_consecutive_auto_reply(self, value: int, sender: Agent | None = None) -> None:
        """Changes the limit for one sender, or without one for all."""
        self.auto_replies.set_limit(value, sender)

    def reset_consecutive_auto_reply_counter(self, sender: Agent | None = None) -> None:
        """Begins to count replies anew for one sender, or without one for all."""
        self.auto_replies.reset(sender)

    def stop_reply_at_receive(self, sender: Agent | None = None) -> None:
        """Makes it wait for ``request_reply`` with its replies to one sender, or without one to all."""
        if sender is None:
            self.reply_at_receive.clear()
        else:
            self.reply_at_receive[sender] = False

    def clear_history(self, recipient: Agent | None = None, nr_messages_to_preserve: int | None = None) -> None:
        """Forgets the chat with one agent, or all.

        Args:
            recipient: The agent; None for all.
            nr_messages_to_preserve: How many of the last messages of each chat stay.
        """
        self.history.clear(recipient, nr_messages_to_preserve)

    def prepare_chat(self, other: Agent, *, clear_history: bool, replies: bool) -> None:
        """Makes it ready for a chat.

        Args:
            other: Whom it will talk to.
            clear_history: Whether earlier chats with it are forgotten.
            replies: Whether it replies to messages that leave it the choice.
        """
        self.auto_replies.reset(other)
        self.reply_at_receive[other] = replies
        self.stop_reason = ""
        if clear_history:
            self.clear_history(other)

    def get_total_usage(self) -> UsageSummary | None:
        """What its model has used, cached answers included; None if it was not asked."""
        return _summary(self.usage.total)

    def get_actual_usage(self) -> UsageSummary | None:
        """What its model has used, cached answers left out; None if it was not asked."""
        return _summary(self.usage.actual)

    def print_usage_summary(self, mode: str | Sequence[str] = ("actual", "total")) -> None:
        """Prints what its model has used.

        Args:
            mode: "actual" (without cached answers), "total" (with them), or both.
        """
        self.usage.print_summary(self.name, [mode] if isinstance(mode, str) else mode)


def _says_terminate(message: Message) -> bool:
    return content_text(message.get("content")) == "TERMINATE"


def _summary(account: dict[str, ModelUsage]) -> UsageSummary | None:
    return sum_of([account]) if account else None
