"""Models behind a class of the user: AutoGen's ``ModelClient`` protocol."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cellblock.agentchat.models.endpoint import Answer, Endpoint
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CustomClients", "ModelClient"]


@runtime_checkable
class ModelClient(Protocol):
    """What a class must have whose objects answer as a model."""

    def create(self, params: dict[str, Any]) -> Any:
        """The response to a request.

        Args:
            params: The entry of the ``config_list``, and ``messages``.
        """
        ...

    def message_retrieval(self, response: Any) -> list[Any]:
        """The response's texts; the first one counts."""
        ...

    def cost(self, response: Any) -> float:
        """The response's US dollars."""
        ...

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        """``prompt_tokens``, ``completion_tokens``, ``total_tokens``, ``cost`` and ``model``."""
        ...


class CustomClients:
    """The classes that were registered for the entries of one ``llm_config``."""

    def __init__(self) -> None:
        self._providers: dict[str, list[_CustomProvider]] = {}

    def endpoint(self, entry: Mapping[str, Any]) -> Endpoint:
        """The endpoint of an entry whose class will be registered later.

        Args:
            entry: One with ``model_client_cls``, the name of a class.
        """
        provider = _CustomProvider(entry["model_client_cls"], entry)
        self._providers.setdefault(provider.name, []).append(provider)
        return Endpoint(model=entry["model"], provider=provider, price_1k=entry.get("price"))

    def register(self, model_client_cls: type[Any], arguments: Mapping[str, Any]) -> None:
        """Makes an object of the class for the next entry that names it.

        Args:
            model_client_cls: The class.
            arguments: For its constructor, beside the entry.

        Raises:
            ConfigError: No entry names it, or all that do have their object.
        """
        name = model_client_cls.__name__
        waiting = next((provider for provider in self._providers.get(name, ()) if provider.client is None), None)
        if waiting is None:
            raise ConfigError(
                f"No entry of config_list waits for the model client {name}; add one with model_client_cls={name!r}."
            )
        waiting.client = model_client_cls(dict(waiting.entry), **arguments)


@dataclass
class _CustomProvider:
    """Asks an object of the user's class."""

    name: str
    entry: Mapping[str, Any]
    client: ModelClient | None = None

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (Exception,)  # whatever the user's class raises

    async def ask(self, request: Mapping[str, Any], on_text: Callable[[str], None] | None) -> Answer:  # noqa: ARG002
        if self.client is None:
            raise ConfigError(
                f"The model client {self.name} is not there yet. Call register_model_client() with the class before the chat."
            )
        response = await asyncio.to_thread(self.client.create, {**self.entry, "messages": request["messages"]})
        text = self.client.message_retrieval(response)[0]
        usage = self.client.get_usage(response) or {}
        return Answer(
            content=text if isinstance(text, str) else text.content,
            model=usage.get("model") or request["model"],
            prompt_tokens=usage.get("prompt_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
            raw=response,
            cost=self.client.cost(response),
        )
