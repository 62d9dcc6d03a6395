"""ConversableAgent: an agent that talks, asks a model or a person, and runs code.

Each method here is a face, blocking or (with ``a_``) asynchronous, of logic that is written once in ``turns`` and ``chat``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cellblock.agentchat.cache import Cache
from cellblock.agentchat.calls import AsyncCalls, BlockingCalls, run_now
from cellblock.agentchat.chat import ChatPlan, ChatResult, hold_chat, initiate_chats, resume_chat
from cellblock.agentchat.replying_agent import ReplyingAgent
from cellblock.agentchat.summary import DEFAULT_SUMMARY_PROMPT
from cellblock.agentchat.turns import deliver, say, take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.opening import OpeningMessage
    from cellblock.agentchat.summary import SummaryMethod

__all__ = ["ConversableAgent"]


class ConversableAgent(ReplyingAgent):
    """An agent for chats of two.

    It replies with the first of these that has something to say: the functions registered with ``register_reply``; the person
    behind it, who may also end the chat; the outcome of code in the last messages; its model; ``default_auto_reply``.

    Args:
        name: What the others call it.
        system_message: What its model is told first.
        is_termination_msg: Says whether a message ends the chat; by default one that is exactly "TERMINATE".
        max_consecutive_auto_reply: How often in a row it may reply without a person; 100 if not given.
        human_input_mode: When the person is asked: "ALWAYS" (at every turn), "TERMINATE" (when the chat would end) or "NEVER".
        function_map: Must be empty: function calls are not supported.
        code_execution_config: How it runs code (see ``CodeExecutionConfig``), or False to run none.
        llm_config: Its model: a dict as in AutoGen, with ``config_list`` or the settings of one model, or False for none.
        default_auto_reply: What it says when it has nothing to say.
        description: What it is for; its system message if not given.
        chat_messages: Chats it had before, by whom it talked to.
        silent: Whether messages of its own are not printed; None leaves it to each chat.
        model: Its model as a plain function from messages to the reply, in the place of ``llm_config``.

    Raises:
        ConfigError: An argument cannot be used.
        AssertionError: ``llm_config`` is neither a dict nor False.
    """

    DEFAULT_SUMMARY_PROMPT: ClassVar[str] = DEFAULT_SUMMARY_PROMPT
    DEFAULT_SUMMARY_METHOD: ClassVar[str] = "last_msg"

    def send(
        self,
        message: Message | str,
        recipient: Agent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        """Sends a message; the replies to and fro that follow are over when this returns.

        Args:
            message: Text, or a dict with ``content``.
            recipient: Who is to hear it.
            request_reply: Whether the recipient is to reply; None leaves it to the recipient.
            silent: Whether messages are not printed.

        Raises:
            ConfigError: It is no message.
        """
        run_now(deliver(BlockingCalls(), message, self, recipient, request_reply=request_reply, silent=silent))

    async def a_send(
        self,
        message: Message | str,
        recipient: Agent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        """As ``send``, without blocking the event loop."""
        await deliver(AsyncCalls(), message, self, recipient, request_reply=request_reply, silent=silent)

    def receive(
        self,
        message: Message | str,
        sender: Agent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        """Takes a message, and may reply to it.

        Args:
            message: What was said.
            sender: Who said it.
            request_reply: Whether a reply is wanted; None leaves it to ``reply_at_receive``.
            silent: Whether messages are not printed.

        Raises:
            ConfigError: It is no message.
        """
        calls = BlockingCalls()
        reply = run_now(take(calls, message, sender, self, request_reply=request_reply, silent=silent))
        if reply is not None:
            run_now(say(calls, reply, self, sender, silent=silent))

    async def a_receive(
        self,
        message: Message | str,
        sender: Agent,
        request_reply: bool | None = None,
        silent: bool | None = False,
    ) -> None:
        """As ``receive``, without blocking the event loop."""
        calls = AsyncCalls()
        reply = await take(calls, message, sender, self, request_reply=request_reply, silent=silent)
        if reply is not None:
            await say(calls, reply, self, sender, silent=silent)

    def initiate_chat(
        self,
        recipient: ConversableAgent,
        clear_history: bool = True,
        silent: bool | None = False,
        cache: Cache | None = None,
        max_turns: int | None = None,
        summary_method: SummaryMethod = DEFAULT_SUMMARY_METHOD,
        summary_args: Mapping[str, Any] | None = None,
        message: OpeningMessage = None,
        **context: Any,
    ) -> ChatResult:
        """Begins a chat and holds it to its end.

        Args:
            recipient: Whom to talk to.
            clear_history: Whether the two begin afresh; otherwise earlier messages count as said.
            silent: Whether messages are not printed.
            cache: Where the models' answers are kept and looked up, in the place of ``cache_seed``.
            max_turns: How often this agent speaks, each time with one reply; None for until somebody ends it.
            summary_method: "last_msg", "reflection_with_llm", or a function ``(sender, recipient, summary_args) -> summary``.
            summary_args: ``summary_prompt`` and ``summary_role`` for "reflection_with_llm".
            message: What to say first: text, a dict with ``content``, or a function ``(sender, recipient, context)`` that gives
                either; None asks the person.
            context: For a function; and ``carryover``, a text, or a list of texts or messages, that is added to the message.

        Raises:
            AssertionError: ``summary_method`` is none.
            RuntimeError: One of the agents has asynchronous reply functions.
        """
        _refuse_async_functions(self, recipient)
        plan = ChatPlan(max_turns, silent, summary_method, summary_args or {}, clear_history)
        with Cache.use(cache):
            return run_now(hold_chat(BlockingCalls(), self, recipient, plan, message, context))

    async def a_initiate_chat(
        self,
        recipient: ConversableAgent,
        clear_history: bool = True,
        silent: bool | None = False,
        cache: Cache | None = None,
        max_turns: int | None = None,
        summary_method: SummaryMethod = DEFAULT_SUMMARY_METHOD,
        summary_args: Mapping[str, Any] | None = None,
        message: OpeningMessage = None,
        **context: Any,
    ) -> ChatResult:
        """As ``initiate_chat``, without blocking the event loop."""
        plan = ChatPlan(max_turns, silent, summary_method, summary_args or {}, clear_history)
        with Cache.use(cache):
            return await hold_chat(AsyncCalls(), self, recipient, plan, message, context)

    def resume_chat(
        self,
        recipient: ConversableAgent,
        silent: bool | None = False,
        summary_method: SummaryMethod = DEFAULT_SUMMARY_METHOD,
        summary_args: Mapping[str, Any] | None = None,
        max_turns: int | None = None,
    ) -> ChatResult:
        """Goes on with a chat that an error or Ctrl-C broke off, with the agent whose turn it is.

        Args:
            recipient: Whom this agent talked to.
            silent: As for ``initiate_chat``.
            summary_method: As for ``initiate_chat``.
            summary_args: As for ``initiate_chat``.
            max_turns: How often this agent may still speak, beside the reply it waits for; None for what is left of the turns
                that the chat began with.

        Raises:
            ConfigError: The two have not talked.
            RuntimeError: One of the agents has asynchronous reply functions.
        """
        _refuse_async_functions(self, recipient)
        plan = ChatPlan(max_turns, silent, summary_method, summary_args or {})
        return run_now(resume_chat(BlockingCalls(), self, recipient, plan))

    async def a_resume_chat(
        self,
        recipient: ConversableAgent,
        silent: bool | None = False,
        summary_method: SummaryMethod = DEFAULT_SUMMARY_METHOD,
        summary_args: Mapping[str, Any] | None = None,
        max_turns: int | None = None,
    ) -> ChatResult:
        """As ``resume_chat``, without blocking the event loop."""
        plan = ChatPlan(max_turns, silent, summary_method, summary_args or {})
        return await resume_chat(AsyncCalls(), self, recipient, plan)

    def initiate_chats(self, chat_queue: list[dict[str, Any]]) -> list[ChatResult]:
        """Begins chats one after the other; each hears the summaries of those before.

        Args:
            chat_queue: For each chat the ``recipient`` and the other arguments of ``initiate_chat``.
        """
        return initiate_chats([{"sender": self, **chat} for chat in chat_queue])


def _refuse_async_functions(*agents: ConversableAgent) -> None:
    names = [name for agent in agents for name in agent.reply_functions.only_async()]
    if names:
        raise RuntimeError(
            "Async reply functions can only be used with ConversableAgent.a_initiate_chat(). The following async reply "
            f"functions are found: {', '.join(names)}"
        )
