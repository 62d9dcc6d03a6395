"""Two agents that solve a task together: one writes code, the other runs it. The names are those of AutoGen 0.2.

Each name loads on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellblock.agentchat.agent import Agent
    from cellblock.agentchat.assistant_agent import AssistantAgent
    from cellblock.agentchat.cache import Cache
    from cellblock.agentchat.chat import ChatResult, gather_usage_summary, initiate_chats
    from cellblock.agentchat.conversable_agent import ConversableAgent
    from cellblock.agentchat.io import IOConsole, IOStream
    from cellblock.agentchat.models.reply import Model, ModelReply
    from cellblock.agentchat.opening import InvalidCarryOverType
    from cellblock.agentchat.prompts import (
        COMMAND_LINE_PROMPT,
        DOCKER_COMMAND_LINE_PROMPT,
        JUPYTER_PROMPT,
        jupyter_prompt,
    )
    from cellblock.agentchat.user_proxy_agent import UserProxyAgent

__all__ = [
    "COMMAND_LINE_PROMPT",
    "DOCKER_COMMAND_LINE_PROMPT",
    "JUPYTER_PROMPT",
    "Agent",
    "AssistantAgent",
    "Cache",
    "ChatResult",
    "ConversableAgent",
    "IOConsole",
    "IOStream",
    "InvalidCarryOverType",
    "Model",
    "ModelReply",
    "UserProxyAgent",
    "gather_usage_summary",
    "initiate_chats",
    "jupyter_prompt",
]

_HOMES = {
    "agent": ("Agent",),
    "assistant_agent": ("AssistantAgent",),
    "cache": ("Cache",),
    "chat": ("ChatResult", "gather_usage_summary", "initiate_chats"),
    "conversable_agent": ("ConversableAgent",),
    "io": ("IOConsole", "IOStream"),
    "models.reply": ("Model", "ModelReply"),
    "opening": ("InvalidCarryOverType",),
    "prompts": ("COMMAND_LINE_PROMPT", "DOCKER_COMMAND_LINE_PROMPT", "JUPYTER_PROMPT", "jupyter_prompt"),
    "user_proxy_agent": ("UserProxyAgent",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
