"""UserProxyAgent: the one that stands for a person and runs code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cellblock.agentchat.conversable_agent import ConversableAgent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.human_reply import HumanInputMode
    from cellblock.agentchat.messages import Message
    from cellblock.coding.base import CodeExecutionConfig

__all__ = ["UserProxyAgent"]


class UserProxyAgent(ConversableAgent):
    """An agent that asks its person at every turn and runs the code of others, by default in Docker; without a model.

    For the arguments see ``ConversableAgent``.
    """

    DEFAULT_USER_PROXY_AGENT_DESCRIPTIONS: ClassVar[Mapping[str, str]] = {
        "ALWAYS": "A person who is asked at every turn, gives tasks and feedback, and has code run.",
        "TERMINATE": "Runs code and reports what it printed; a person answers where the chat would end.",
        "NEVER": "Runs code and reports what it printed; no person answers.",
    }

    def __init__(
        self,
        name: str,
        is_termination_msg: Callable[[Message], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode = "ALWAYS",
        function_map: Mapping[str, Callable[..., Any]] | None = None,
        code_execution_config: CodeExecutionConfig | Literal[False] | None = {},  # noqa: B006  never changed
        default_auto_reply: Message | str = "",
        llm_config: dict[str, Any] | Literal[False] | None = False,
        system_message: str | list[Any] | None = "",
        description: str | None = None,
        chat_messages: Mapping[Agent, list[Message]] | None = None,
        silent: bool | None = None,
    ) -> None:
        if description is None:
            description = self.DEFAULT_USER_PROXY_AGENT_DESCRIPTIONS[human_input_mode]
        super().__init__(
            name,
            system_message,
            is_termination_msg,
            max_consecutive_auto_reply,
            human_input_mode,
            function_map,
            code_execution_config,
            llm_config,
            default_auto_reply,
            description,
            chat_messages,
            silent,
        )
