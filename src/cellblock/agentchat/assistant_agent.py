"""AssistantAgent: the one that writes code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cellblock.agentchat.conversable_agent import ConversableAgent
from cellblock.agentchat.prompts import COMMAND_LINE_PROMPT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.human_reply import HumanInputMode
    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.models.reply import Model
    from cellblock.coding.base import CodeExecutionConfig

__all__ = ["AssistantAgent"]


class AssistantAgent(ConversableAgent):
    """An agent that solves tasks with its model and asks no person.

    Args:
        name: What the others call it.
        system_message: What its model is told first. The default suits an executor on a command line; see ``prompts`` for others.
        llm_config: As for ``ConversableAgent``.
        is_termination_msg: As for ``ConversableAgent``.
        max_consecutive_auto_reply: As for ``ConversableAgent``.
        human_input_mode: As for ``ConversableAgent``.
        description: What it is for.
        function_map: As for ``ConversableAgent``.
        code_execution_config: As for ``ConversableAgent``.
        default_auto_reply: As for ``ConversableAgent``.
        chat_messages: As for ``ConversableAgent``.
        silent: As for ``ConversableAgent``.
        model: As for ``ConversableAgent``.
    """

    DEFAULT_SYSTEM_MESSAGE: ClassVar[str] = COMMAND_LINE_PROMPT
    DEFAULT_DESCRIPTION: ClassVar[str] = (
        "An assistant that solves tasks by reasoning and by writing code for others to run."
    )

    def __init__(
        self,
        name: str,
        system_message: str | None = DEFAULT_SYSTEM_MESSAGE,
        llm_config: dict[str, Any] | Literal[False] | None = None,
        is_termination_msg: Callable[[Message], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode = "NEVER",
        description: str | None = None,
        *,
        function_map: Mapping[str, Callable[..., Any]] | None = None,
        code_execution_config: CodeExecutionConfig | Literal[False] | None = False,
        default_auto_reply: Message | str = "",
        chat_messages: Mapping[Agent, list[Message]] | None = None,
        silent: bool | None = None,
        model: Model | None = None,
    ) -> None:
        if description is None and system_message == self.DEFAULT_SYSTEM_MESSAGE:
            description = self.DEFAULT_DESCRIPTION
        super().__init__(
            name,
            system_message,
            is_termination_msg,
            max_consecutive_auto_reply,
            human_input_mode,
            function_map,
            code_execution_config=code_execution_config,
            llm_config=llm_config,
            default_auto_reply=default_auto_reply,
            description=description,
            chat_messages=chat_messages,
            silent=silent,
            model=model,
        )
