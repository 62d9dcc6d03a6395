"""The calls a chat makes to the world, in two ways: blocking and asynchronous.

The logic of a chat is written once, as coroutines that get a ``Calls`` object and make through it every call that may
take time: a model, a person, an executor, another agent, a function of the user. ``BlockingCalls`` makes them directly, in
the caller's thread, and never suspends; ``run_now`` runs such a coroutine to its end without an event loop, also where
one is running already. ``AsyncCalls`` awaits them, and gives models and executors that block to a thread.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

from cellblock.agentchat.models.reply import ModelReply, as_reply
from cellblock.background import background_loop
from cellblock.coding.base import AsyncCodeExecutor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.conversable_agent import ConversableAgent
    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.models.reply import Model
    from cellblock.agentchat.reply_functions import ReplyFunction
    from cellblock.agentchat.replying_agent import ReplyingAgent
    from cellblock.coding.base import CodeBlock, CodeExecutor, CodeResult

__all__ = ["AsyncCalls", "BlockingCalls", "Calls", "run_now"]

T = TypeVar("T")


class Calls(Protocol):
    """The calls a chat makes.

    Attributes:
        awaits: Whether they are awaited, in an asynchronous chat.
    """

    awaits: ClassVar[bool]

    async def ask_model(self, model: Model, messages: list[Message]) -> ModelReply:
        """A model's reply to messages."""
        ...

    async def ask_human(self, agent: ReplyingAgent, prompt: str) -> str:
        """What the person behind an agent types."""
        ...

    async def execute(self, executor: CodeExecutor, blocks: list[CodeBlock]) -> CodeResult:
        """What running blocks comes to."""
        ...

    async def function(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        """What a function of the user gives."""
        ...

    async def reply_function(
        self, entry: ReplyFunction, agent: ReplyingAgent, messages: list[Message], sender: Agent | None
    ) -> tuple[bool, Message | str | None]:
        """Whether a reply function has the reply, and the reply."""
        ...

    async def reply_of(self, agent: ReplyingAgent, sender: Agent) -> Message | str | None:
        """What an agent replies to another."""
        ...

    def has_own_send(self, agent: ConversableAgent) -> bool:
        """Whether an agent sends messages in its own way."""
        ...

    def has_own_receive(self, agent: ConversableAgent) -> bool:
        """Whether an agent takes messages in its own way."""
        ...

    async def send(
        self,
        message: Message | str,
        sender: ConversableAgent,
        recipient: Agent,
        request_reply: bool | None,
        silent: bool | None,
    ) -> None:
        """Has an agent send a message in its own way."""
        ...

    async def hand_over(
        self, message: Message | str, sender: Agent, recipient: Agent, request_reply: bool | None, silent: bool | None
    ) -> None:
        """Gives a message to an agent that takes it in its own way."""
        ...


def run_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that never suspends, as those that are given ``BlockingCalls``.

    Args:
        coroutine: What to run.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    coroutine.close()
    raise RuntimeError("A blocking chat awaited something. This is a fault of cellblock.")


class BlockingCalls:
    """Makes every call directly, in the caller's thread."""

    awaits: ClassVar[bool] = False

    async def ask_model(self, model: Model, messages: list[Message]) -> ModelReply:
        """See ``Calls``. An asynchronous model runs on the background loop."""
        answer = model(messages)
        return as_reply(background_loop().call(_awaited(answer)) if inspect.isawaitable(answer) else answer)

    async def ask_human(self, agent: ReplyingAgent, prompt: str) -> str:
        """See ``Calls``."""
        return agent.get_human_input(prompt)

    async def execute(self, executor: CodeExecutor, blocks: list[CodeBlock]) -> CodeResult:
        """See ``Calls``."""
        return executor.execute_code_blocks(blocks)

    async def function(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        """See ``Calls``.

        Raises:
            RuntimeError: The function is asynchronous.
        """
        result = function(*args, **keywords)
        if inspect.iscoroutine(result):
            result.close()
            raise RuntimeError(f"{function!r} is asynchronous. Use it in a chat begun with a_initiate_chat().")
        return result

    async def reply_function(
        self, entry: ReplyFunction, agent: ReplyingAgent, messages: list[Message], sender: Agent | None
    ) -> tuple[bool, Message | str | None]:
        """See ``Calls``. Asynchronous functions are passed over."""
        if inspect.iscoroutinefunction(entry.function):
            return False, None
        return cast(
            "tuple[bool, Message | str | None]",
            entry.function(agent, messages=messages, sender=sender, config=entry.config),
        )

    async def reply_of(self, agent: ReplyingAgent, sender: Agent) -> Message | str | None:
        """See ``Calls``."""
        return agent.generate_reply(messages=agent.chat_messages[sender], sender=sender)

    def has_own_send(self, agent: ConversableAgent) -> bool:
        """See ``Calls``."""
        return _is_overridden(agent, "send")

    def has_own_receive(self, agent: ConversableAgent) -> bool:
        """See ``Calls``."""
        return _is_overridden(agent, "receive")

    async def send(
        self,
        message: Message | str,
        sender: ConversableAgent,
        recipient: Agent,
        request_reply: bool | None,
        silent: bool | None,
    ) -> None:
        """See ``Calls``."""
        sender.send(message, recipient, request_reply=request_reply, silent=silent)

    async def hand_over(
        self, message: Message | str, sender: Agent, recipient: Agent, request_reply: bool | None, silent: bool | None
    ) -> None:
        """See ``Calls``."""
        receive = cast("Callable[..., None]", recipient.receive)
        receive(message, sender, request_reply, silent)


class AsyncCalls:
    """Awaits every call; a model or an executor that blocks runs in a thread."""

    awaits: ClassVar[bool] = True

    async def ask_model(self, model: Model, messages: list[Message]) -> ModelReply:
        """See ``Calls``. A model that blocks runs in a thread."""
        answer = model(messages) if inspect.iscoroutinefunction(model) else await asyncio.to_thread(model, messages)
        return as_reply(await answer if inspect.isawaitable(answer) else answer)

    async def ask_human(self, agent: ReplyingAgent, prompt: str) -> str:
        """See ``Calls``."""
        return await agent.a_get_human_input(prompt)

    async def execute(self, executor: CodeExecutor, blocks: list[CodeBlock]) -> CodeResult:
        """See ``Calls``."""
        if isinstance(executor, AsyncCodeExecutor):
            return await executor.a_execute_code_blocks(blocks)
        return await asyncio.to_thread(executor.execute_code_blocks, blocks)

    async def function(self, function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        """See ``Calls``."""
        result = function(*args, **keywords)
        return await result if inspect.isawaitable(result) else result

    async def reply_function(
        self, entry: ReplyFunction, agent: ReplyingAgent, messages: list[Message], sender: Agent | None
    ) -> tuple[bool, Message | str | None]:
        """See ``Calls``. A built-in function has an asynchronous twin; others that block run on the event loop."""
        if entry.skipped_in_async_chat:
            return False, None
        function = entry.async_twin or entry.function
        result = function(agent, messages=messages, sender=sender, config=entry.config)
        return cast("tuple[bool, Message | str | None]", await result if inspect.isawaitable(result) else result)

    async def reply_of(self, agent: ReplyingAgent, sender: Agent) -> Message | str | None:
        """See ``Calls``."""
        return await agent.a_generate_reply(messages=agent.chat_messages[sender], sender=sender)

    def has_own_send(self, agent: ConversableAgent) -> bool:
        """See ``Calls``."""
        return _is_overridden(agent, "a_send")

    def has_own_receive(self, agent: ConversableAgent) -> bool:
        """See ``Calls``."""
        return _is_overridden(agent, "a_receive")

    async def send(
        self,
        message: Message | str,
        sender: ConversableAgent,
        recipient: Agent,
        request_reply: bool | None,
        silent: bool | None,
    ) -> None:
        """See ``Calls``."""
        await sender.a_send(message, recipient, request_reply=request_reply, silent=silent)

    async def hand_over(
        self, message: Message | str, sender: Agent, recipient: Agent, request_reply: bool | None, silent: bool | None
    ) -> None:
        """See ``Calls``."""
        receive = cast("Callable[..., Awaitable[None]]", recipient.a_receive)
        await receive(message, sender, request_reply, silent)


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _is_overridden(agent: ConversableAgent, method: str) -> bool:
    """Whether a subclass, or the agent itself, has a method of its own in the place of ConversableAgent's."""
    from cellblock.agentchat.conversable_agent import ConversableAgent

    return getattr(getattr(agent, method), "__func__", None) is not getattr(ConversableAgent, method)
