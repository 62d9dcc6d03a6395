"""A whole chat: how it begins, how it goes from turn to turn, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cellblock.agentchat.opening import OpeningMessage, check_carryover, opening_message
from cellblock.agentchat.printing import print_start
from cellblock.agentchat.summary import SummaryMethod, check_summary_method, summarize
from cellblock.agentchat.turn_limit import TurnLimit
from cellblock.agentchat.turns import say
from cellblock.agentchat.usage import sum_of
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellblock.agentchat.calls import Calls
    from cellblock.agentchat.conversable_agent import ConversableAgent
    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.usage import UsageSummary

__all__ = ["ChatPlan", "ChatResult", "gather_usage_summary", "hold_chat", "initiate_chats", "resume_chat"]


@dataclass
class ChatResult:
    """What a chat came to.

    Attributes:
        chat_id: What the caller calls it by, if anything.
        chat_history: Its messages, oldest first, as the agent that began it has them.
        summary: Its summary.
        cost: What the models of both agents have used since they were made:
            ``{"usage_including_cached_inference": U, "usage_excluding_cached_inference": U}``, where U is a ``UsageSummary``.
        human_input: What people typed in it.
        stop_reason: Why it ended, as a sentence.
        unknown_costs: The models whose price is not known; they count as 0 in ``cost``.
    """

    chat_id: int | None = None
    chat_history: list[Message] = field(default_factory=list)
    summary: Any = None
    cost: dict[str, UsageSummary] = field(default_factory=dict)
    human_input: list[str] = field(default_factory=list)
    stop_reason: str = field(default="", repr=False)
    unknown_costs: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class ChatPlan:
    """How a chat is to be held; the arguments of ``initiate_chat`` beside the opening message.

    Raises:
        ConfigError: ``max_turns`` is no number of turns.
    """

    max_turns: int | None = None
    silent: bool | None = False
    summary_method: SummaryMethod = "last_msg"
    summary_args: Mapping[str, Any] = field(default_factory=dict)
    clear_history: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.max_turns, int | None):
            raise ConfigError(f"max_turns is a whole number, or None for any number of turns, not {self.max_turns!r}.")


async def hold_chat(
    calls: Calls,
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    plan: ChatPlan,
    message: OpeningMessage,
    context: dict[str, Any],
) -> ChatResult:
    """Holds a chat from its first message to its end.

    Args:
        calls: Makes the calls.
        initiator: Who begins.
        recipient: Whom it talks to.
        plan: How.
        message: See ``opening_message``.
        context: See ``opening_message``.
    """
    check_summary_method(plan.summary_method, initiator, recipient)
    turns = initiator.turn_limits[recipient] = TurnLimit(plan.max_turns)
    marks = _prepare(initiator, recipient, turns, clear_history=plan.clear_history)
    if turns.left != 0:
        opening = await opening_message(calls, initiator, recipient, message, context)
        await _take_turns(calls, opening, initiator, recipient, turns, silent=plan.silent)
    return await _result(calls, initiator, recipient, plan, marks)


async def resume_chat(
    calls: Calls, initiator: ConversableAgent, recipient: ConversableAgent, plan: ChatPlan
) -> ChatResult:
    """Goes on with a chat where it stopped, with the agent whose turn it is.

    Args:
        calls: Makes the calls.
        initiator: Who began.
        recipient: Whom it talked to.
        plan: How; without ``max_turns``, for as many turns as are left of those it began with.

    Raises:
        ConfigError: The agents have not talked.
    """
    check_summary_method(plan.summary_method, initiator, recipient)
    messages = initiator.chat_messages[recipient]
    if not messages:
        raise ConfigError(f"There is no chat of {initiator.name} with {recipient.name} to resume. Begin one.")
    turns = initiator.turn_limits.setdefault(recipient, TurnLimit())
    if plan.max_turns is not None:
        turns.allow_more(plan.max_turns)
    marks = _prepare(initiator, recipient, turns, clear_history=False)
    is_next = messages[-1]["role"] != "assistant"
    if not is_next:
        reply = await calls.reply_of(recipient, initiator)
        if reply is not None:
            await say(calls, reply, recipient, initiator, silent=plan.silent)
        is_next = reply is not None and turns.allowed is not None  # else the two have talked to the end by themselves
    if is_next and turns.left != 0:
        next_message = await calls.reply_of(initiator, recipient)
        await _take_turns(calls, next_message, initiator, recipient, turns, silent=plan.silent)
    return await _result(calls, initiator, recipient, plan, marks)


def _prepare(
    initiator: ConversableAgent, recipient: ConversableAgent, turns: TurnLimit, *, clear_history: bool
) -> _Marks:
    """Makes both agents ready; where turns are counted neither answers by itself, also not to what is sent afterwards."""
    for agent, other in ((initiator, recipient), (recipient, initiator)):
        agent.prepare_chat(other, clear_history=clear_history, replies=turns.allowed is None)
    return _Marks(initiator, recipient)


async def _take_turns(
    calls: Calls,
    message: Message | str | None,
    initiator: ConversableAgent,
    recipient: ConversableAgent,
    turns: TurnLimit,
    *,
    silent: bool | None,
) -> None:
    """Says a message, and what follows from it, until somebody has nothing to say or no turn is left."""
    if turns.left is None:
        if message is not None:
            await say(calls, message, initiator, recipient, silent=silent)
        return
    for turn in range(turns.left):
        if turn:
            message = await calls.reply_of(initiator, recipient)
        if message is None:
            return
        before = len(initiator.chat_messages[recipient])
        try:
            await say(calls, message, initiator, recipient, request_reply=True, silent=silent)
        finally:  # a message that was said is a turn, also if the reply to it failed
            turns.used += len(initiator.chat_messages[recipient]) > before
        said = initiator.chat_messages[recipient]
        if said and said[-1]["role"] == "assistant":
            return  # the recipient had nothing to say, and the initiator does not talk to itself


def initiate_chats(chat_queue: list[dict[str, Any]]) -> list[ChatResult]:
    """Holds chats one after the other; each hears the summaries of those before.

    Args:
        chat_queue: For each chat the ``sender``, the ``recipient``, and the arguments of ``sender.initiate_chat``;
            ``finished_chat_indexes_to_exclude_from_carryover`` names earlier chats, from 0, whose summaries it does not hear.

    Raises:
        ConfigError: A chat has no sender or no recipient, or something else to carry over than text or a list. No chat is
            begun then.
        AssertionError: A chat cannot be summarized as its ``summary_method`` says.
    """
    for chat in chat_queue:
        _check(chat)
    results: list[ChatResult] = []
    for chat in chat_queue:
        arguments = dict(chat)
        sender, recipient = arguments.pop("sender"), arguments.pop("recipient")
        chat_id = arguments.pop("chat_id", None)
        own = arguments.pop("carryover", None) or []
        carryover = [own] if isinstance(own, str) else list(own)
        unheard = arguments.pop("finished_chat_indexes_to_exclude_from_carryover", ())
        carryover += [result.summary for index, result in enumerate(results) if index not in unheard]
        if not arguments.get("silent"):
            print_start()
        result: ChatResult = sender.initiate_chat(recipient, carryover=carryover, **arguments)
        result.chat_id = chat_id
        results.append(result)
    return results


def _check(chat: Mapping[str, Any]) -> None:
    """Raises for a chat that could not be begun after those before it."""
    sender, recipient = chat.get("sender"), chat.get("recipient")
    if sender is None or recipient is None:
        raise ConfigError('Each chat needs a "sender" and a "recipient".')
    check_carryover(chat.get("carryover"))
    check_summary_method(chat.get("summary_method"), sender, recipient)


def gather_usage_summary(agents: Iterable[ConversableAgent]) -> dict[str, UsageSummary]:
    """What the models of several agents have used since these were made, in the form of ``ChatResult.cost``.

    Args:
        agents: Whose.
    """
    ledgers = [agent.usage for agent in agents]
    return {
        "usage_including_cached_inference": sum_of(ledger.total for ledger in ledgers),
        "usage_excluding_cached_inference": sum_of(ledger.actual for ledger in ledgers),
    }


class _Marks:
    """Where the agents' records of what was typed stood when a chat began."""

    def __init__(self, *agents: ConversableAgent) -> None:
        self._agents = [(agent, len(agent.human_input)) for agent in dict.fromkeys(agents)]

    def typed_since(self) -> list[str]:
        return [answer for agent, before in self._agents for answer in agent.human_input[before:]]


async def _result(
    calls: Calls, initiator: ConversableAgent, recipient: ConversableAgent, plan: ChatPlan, marks: _Marks
) -> ChatResult:
    summary = await summarize(calls, plan.summary_method, plan.summary_args, initiator, recipient)
    agents = list(dict.fromkeys((initiator, recipient)))
    reasons = [agent.stop_reason for agent in agents if agent.stop_reason]
    return ChatResult(
        chat_history=list(initiator.chat_messages[recipient]),
        summary=summary,
        cost=gather_usage_summary(agents),
        human_input=marks.typed_since(),
        stop_reason=reasons[0] if reasons else _reason(initiator, recipient),
        unknown_costs=tuple(dict.fromkeys(model for agent in agents for model in agent.usage.unknown_costs())),
    )


def _reason(initiator: ConversableAgent, recipient: ConversableAgent) -> str:
    """Why a chat ended that neither of the agents meant to end."""
    messages = initiator.chat_messages[recipient]
    spoke_last = bool(messages) and messages[-1]["role"] == "assistant"
    allowed = initiator.turn_limits[recipient].allowed
    if allowed is not None and not spoke_last:
        return f"The chat had its {allowed} turn{'' if allowed == 1 else 's'}."
    return f"{(recipient if spoke_last else initiator).name} had nothing more to say."
