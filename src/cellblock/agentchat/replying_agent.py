"""How an agent replies: by its reply functions, the built-in ones being a person, code and a model.

Each method here is a face, blocking or (with ``a_``) asynchronous, of logic that is written once elsewhere: ``human_reply``,
``code_execution`` and ``model_reply``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cellblock.agentchat.agent import Agent
from cellblock.agentchat.calls import AsyncCalls, BlockingCalls, Calls, run_now
from cellblock.agentchat.code_execution import CodeExecution, code_execution_reply
from cellblock.agentchat.human_reply import check_termination_and_human_reply
from cellblock.agentchat.io import IOStream
from cellblock.agentchat.messages import Message
from cellblock.agentchat.model_reply import model_reply
from cellblock.agentchat.models.custom_client import CustomClients
from cellblock.agentchat.models.llm_config import checked_llm_config, model_from_llm_config
from cellblock.agentchat.participant import Participant
from cellblock.agentchat.reply_functions import ReplyFunction, Trigger, matches
from cellblock.agentchat.usage import UsageLedger
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellblock.agentchat.human_reply import HumanInputMode
    from cellblock.agentchat.models.reply import Model
    from cellblock.coding.base import CodeExecutionConfig, CodeExecutor

__all__ = ["ReplyingAgent"]

Reply = tuple[bool, Message | str | None]
"""What a reply function gives: whether it has the reply, and the reply."""


class ReplyingAgent(Participant):
    """An agent that can be asked for replies, but does not talk by itself. For the arguments see ``ConversableAgent``.

    Attributes:
        human_input_mode: When the person is asked.
        default_auto_reply: What it says when it has nothing to say.
        llm_config: The model's settings, a copy of its own.
        model: The model, or None.
        code_execution: How code is run, or None.
    """

    DEFAULT_CONFIG: ClassVar[Literal[False]] = False
    MAX_CONSECUTIVE_AUTO_REPLY: ClassVar[int] = 100

    def __init__(
        self,
        name: str,
        system_message: str | list[Any] | None = "You are a helpful AI Assistant.",
        is_termination_msg: Callable[[Message], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode = "TERMINATE",
        function_map: Mapping[str, Callable[..., Any]] | None = None,
        code_execution_config: CodeExecutionConfig | Literal[False] | None = False,
        llm_config: dict[str, Any] | Literal[False] | None = None,
        default_auto_reply: Message | str = "",
        description: str | None = None,
        chat_messages: Mapping[Agent, list[Message]] | None = None,
        silent: bool | None = None,
        *,
        model: Model | None = None,
    ) -> None:
        if function_map:
            raise ConfigError("Function calls are not supported; give functions to the code executor instead.")
        limit = self.MAX_CONSECUTIVE_AUTO_REPLY if max_consecutive_auto_reply is None else max_consecutive_auto_reply
        super().__init__(
            name,
            system_message=system_message,
            description=description,
            is_termination_msg=is_termination_msg,
            max_consecutive_auto_reply=limit,
            chat_messages=chat_messages,
            silent=silent,
        )
        self.human_input_mode = human_input_mode
        self.default_auto_reply = default_auto_reply
        self.llm_config = checked_llm_config(llm_config)
        self._custom_clients = CustomClients()
        self.model = model or model_from_llm_config(self.llm_config, self._custom_clients)
        self.code_execution = CodeExecution.from_config(code_execution_config)
        self._register_built_in_functions()

    def _register_built_in_functions(self) -> None:
        """Puts them at the places they have in AutoGen, for programs that register functions between them."""
        code = ReplyFunction(
            [Agent, None],
            ReplyingAgent.generate_code_execution_reply,
            async_twin=ReplyingAgent.a_generate_code_execution_reply,
        )
        in_order = [
            *_twins(ReplyingAgent.a_check_termination_and_human_reply, ReplyingAgent.check_termination_and_human_reply),
            *_twins(ReplyingAgent.a_generate_function_call_reply, ReplyingAgent.generate_function_call_reply),
            *_twins(ReplyingAgent.a_generate_tool_calls_reply, ReplyingAgent.generate_tool_calls_reply),
            *([code] if self.code_execution is not None else []),
            *_twins(ReplyingAgent.a_generate_oai_reply, ReplyingAgent.generate_oai_reply),
        ]
        for position, entry in enumerate(in_order):
            self.reply_functions.register(entry, position)

    @property
    def code_executor(self) -> CodeExecutor | None:
        """What runs the code of messages; None if nothing does, or if ``code_execution_config`` names no executor."""
        execution = self.code_execution
        return None if execution is None or execution.without_executor else execution.executor

    def register_model_client(self, model_client_cls: type[Any], **arguments: Any) -> None:
        """Gives the class for entries of the ``config_list`` that name it as their ``model_client_cls``.

        Args:
            model_client_cls: A class with AutoGen's ``ModelClient`` protocol.
            arguments: For its constructor, beside the entry.

        Raises:
            ConfigError: No entry names it.
        """
        self._custom_clients.register(model_client_cls, arguments)

    def generate_reply(
        self,
        messages: list[Message] | None = None,
        sender: Agent | None = None,
        *,
        exclude: list[Callable[..., Any]] | None = None,
    ) -> Message | str | None:
        """What this agent has to say; None for nothing, which ends a chat.

        Args:
            messages: The chat so far; by default this agent's own record of its chat with the sender.
            sender: Whom it talks to.
            exclude: Reply functions not to ask; in an asynchronous chat the built-in ones are those with ``a_``.

        Raises:
            AssertionError: There are neither messages nor a sender.
        """
        return run_now(self._generate_reply(BlockingCalls(), messages, sender, exclude))

    async def a_generate_reply(
        self,
        messages: list[Message] | None = None,
        sender: Agent | None = None,
        *,
        exclude: list[Callable[..., Any]] | None = None,
    ) -> Message | str | None:
        """As ``generate_reply``, without blocking the event loop."""
        return await self._generate_reply(AsyncCalls(), messages, sender, exclude)

    async def _generate_reply(
        self,
        calls: Calls,
        messages: list[Message] | None,
        sender: Agent | None,
        exclude: list[Callable[..., Any]] | None,
    ) -> Message | str | None:
        heard = await self.hooks.before_reply(calls, self._heard(messages, sender))
        for entry in self.reply_functions.applicable(sender, exclude or []):
            final, reply = await calls.reply_function(entry, self, heard, sender)
            if final:
                return reply
        return self.default_auto_reply

    def _heard(self, messages: list[Message] | None, sender: Agent | None) -> list[Message]:
        """The messages given, or else the record of the chat with the sender."""
        if messages is not None:
            return messages
        if sender is None:
            raise AssertionError("Either messages or sender must be given to reply to.")
        return self.chat_messages[sender]

    def check_termination_and_human_reply(
        self,
        messages: list[Message] | None = None,
        sender: Agent | None = None,
        config: Any = None,  # noqa: ARG002
    ) -> Reply:
        """The reply of the person behind it, or the end of the chat: the first of the built-in reply functions."""
        heard = self._heard(messages, sender)
        return run_now(check_termination_and_human_reply(BlockingCalls(), self, heard, sender))

    async def a_check_termination_and_human_reply(
        self,
        messages: list[Message] | None = None,
        sender: Agent | None = None,
        config: Any = None,  # noqa: ARG002
    ) -> Reply:
        """As ``check_termination_and_human_reply``, without blocking the event loop."""
        return await check_termination_and_human_reply(AsyncCalls(), self, self._heard(messages, sender), sender)

    def generate_function_call_reply(
        self,
        messages: list[Message] | None = None,  # noqa: ARG002
        sender: Agent | None = None,  # noqa: ARG002
        config: Any = None,  # noqa: ARG002
    ) -> Reply:
        """Never a reply: function calls are not supported. A program may put a function of its own in this one's place."""
        return False, None

    async def a_generate_function_call_reply(
        self,
        messages: list[Message] | None = None,  # noqa: ARG002
        sender: Agent | None = None,  # noqa: ARG002
        config: Any = None,  # noqa: ARG002
    ) -> Reply:
        """As ``generate_function_call_reply``."""
        return False, None

    def generate_tool_calls_reply(
        self,
        messages: list[Message] | None = None,  # noqa: ARG002
        sender: Agent | None = None,  # noqa: ARG002
        config: Any = None,  # noqa: ARG002
    ) -> Reply:
        """Never a reply: tool calls are not supported. A program may put a function of its own in this one's place."""
        return False, None

    async def a_generate_tool_calls_reply(
        self,
        messages: list[Message] | None = None,  # noqa: ARG002
        sender: Agent | None = None,  # noqa: ARG002
        config: Any = None,  # noqa: ARG002
    ) -> Reply:
        """As ``generate_tool_calls_reply``."""
        return False, None

    def generate_code_execution_reply(
        self,
        messages: list[Message] | None = None,
        sender: Agent | None = None,
        config: CodeExecutionConfig | Literal[False] | None = None,
    ) -> Reply:
        """The outcome of the code in the last messages: the second of the built-in reply functions.

        Args:
            messages: The chat so far.
            sender: Whom it talks to.
            config: A configuration in the place of the agent's.
        """
        execution = self.code_execution if config is None else CodeExecution.from_config(config)
        return run_now(code_execution_reply(BlockingCalls(), self, execution, self._heard(messages, sender)))

    async def a_generate_code_execution_reply(
        self,
        messages: list[Message] | None = None,
        sender: Agent | None = None,
        config: CodeExecutionConfig | Literal[False] | None = None,
    ) -> Reply:
        """As ``generate_code_execution_reply``, without blocking the event loop."""
        execution = self.code_execution if config is None else CodeExecution.from_config(config)
        return await code_execution_reply(AsyncCalls(), self, execution, self._heard(messages, sender))

    def generate_oai_reply(
        self, messages: list[Message] | None = None, sender: Agent | None = None, config: Model | None = None
    ) -> Reply:
        """Its model's reply: the last of the built-in reply functions.

        Args:
            messages: The chat so far.
            sender: Whom it talks to.
            config: A model in the place of the agent's.
        """
        return run_now(model_reply(BlockingCalls(), self, config or self.model, self._heard(messages, sender)))

    async def a_generate_oai_reply(
        self, messages: list[Message] | None = None, sender: Agent | None = None, config: Model | None = None
    ) -> Reply:
        """As ``generate_oai_reply``, without blocking the event loop."""
        return await model_reply(AsyncCalls(), self, config or self.model, self._heard(messages, sender))

    def get_human_input(self, prompt: str) -> str:
        """What the person behind it types. A subclass may ask in its own way.

        Args:
            prompt: The question.
        """
        answer = IOStream.get_default().input(prompt)
        self.human_input.append(answer)
        return answer

    async def a_get_human_input(self, prompt: str) -> str:
        """As ``get_human_input``, without blocking the event loop."""
        return await asyncio.to_thread(self.get_human_input, prompt)

    def reset(self) -> None:
        """Forgets all chats, counts and usage, and restarts the code executor."""
        self.clear_history()
        self.auto_replies.reset()
        self.stop_reply_at_receive()
        self.turn_limits.clear()
        self.reply_functions.reset()
        self.usage = UsageLedger()
        self.stop_reason = ""
        if self.code_execution is not None:
            self.code_execution.guard.reset()
            self.code_execution.executor.restart()

    def prepare_chat(self, other: Agent, *, clear_history: bool, replies: bool) -> None:
        """Makes it ready for a chat; for the arguments see ``Participant``."""
        super().prepare_chat(other, clear_history=clear_history, replies=replies)
        if self.code_execution is not None:
            self.code_execution.guard.reset()

    def _match_trigger(self, trigger: Trigger, sender: Agent | None) -> bool:
        """AutoGen's name for the question whether a trigger is for a sender."""
        return matches(trigger, sender)


def _twins(to_be_awaited: Callable[..., Any], blocking: Callable[..., Any]) -> tuple[ReplyFunction, ReplyFunction]:
    """The two entries of a built-in function, of which each kind of chat asks one."""
    return (
        ReplyFunction([Agent, None], to_be_awaited, skipped_in_sync_chat=True),
        ReplyFunction([Agent, None], blocking, skipped_in_async_chat=True),
    )
