"""What a model is: a function from messages to a reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from cellblock.agentchat.messages import Message

__all__ = ["Model", "ModelReply", "as_reply"]


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What a model answered.

    Attributes:
        content: Its text.
        model: The name it answered under; empty if it has none.
        prompt_tokens: Tokens it read.
        completion_tokens: Tokens it wrote.
        cost: US dollars; None if it is not known.
        cached: Whether the answer came from a cache, so that nothing was sent and nothing is owed.
        raw: The answer as the model's own library gives it.
    """

    content: str
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    cached: bool = False
    raw: Any = None


Model = Callable[[list["Message"]], "ModelReply | str | Awaitable[ModelReply | str]"]
"""A plain function, asynchronous or not, from the messages of a chat to the reply. Its text is enough."""


def as_reply(answer: ModelReply | str) -> ModelReply:
    """What a model function gave, with all that is known about it.

    Args:
        answer: What it gave.

    Raises:
        ConfigError: It is no reply.
    """
    if isinstance(answer, str):
        return ModelReply(answer)
    if isinstance(answer, ModelReply):
        return answer
    raise ConfigError(f"A model function gives a str or a ModelReply, not {type(answer).__name__}.")
