"""Models behind a class of the user: AutoGen's ``ModelClient`` protocol."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cellblock.agentchat.models.endpoint import Answer, Endpoint, IncompleteAnswer
from cellblock.agentchat.models.prices import own_price
from cellblock.agentchat.models.reading import text_at
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
            params: What the entry of the ``config_list`` has for a model, ``model_client_cls``, and ``messages``.
        """
        ...

    def message_retrieval(self, response: Any) -> list[Any]:
        """The response's texts, or messages with a ``content``; the first one counts."""
        ...

    def cost(self, response: Any) -> float:
        """The response's US dollars, which then become its attribute ``cost``."""
        ...

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        """``prompt_tokens``, ``completion_tokens``, ``total_tokens``, ``cost`` and ``model``."""
        ...


class CustomClients:
    """The classes that were registered for the entries of one ``llm_config``."""

    def __init__(self) -> None:
        self._providers: dict[str, list[_CustomProvider]] = {}

    def endpoint(self, entry: Mapping[str, Any], options: Mapping[str, Any]) -> Endpoint:
        """The endpoint of an entry whose class will be registered later.

        Args:
            entry: One with ``model_client_cls``, the name of a class; its ``model`` may be left out.
            options: What of the entry goes into each request, ``model`` and ``messages`` aside.

        Raises:
            ConfigError: Its price is none.
        """
        price = own_price(entry.get("price"))
        provider = _CustomProvider(entry["model_client_cls"], entry, price)
        self._providers.setdefault(provider.name, []).append(provider)
        return Endpoint(model=entry.get("model") or provider.name, provider=provider, options=options, price_1k=price)

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
    price: tuple[float, float] | None
    client: ModelClient | None = None

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return (Exception,)  # whatever the user's class raises

    async def ask(self, request: Mapping[str, Any], on_text: Callable[[str], None] | None) -> Answer:  # noqa: ARG002
        if self.client is None:
            raise ConfigError(
                f"The model client {self.name} is not there yet. Call register_model_client() with the class before the chat."
            )
        params = {key: value for key, value in request.items() if key != "model" or self.entry.get("model")}
        response = await asyncio.to_thread(self.client.create, {**params, "model_client_cls": self.name})
        texts = self.client.message_retrieval(response)
        cost = self._cost(self.client, response)
        with contextlib.suppress(AttributeError, TypeError):  # a response may be of any class
            response.cost = cost  # AutoGen does so, and get_usage() of its users' classes reads it
        usage = self.client.get_usage(response) or {}
        return Answer(
            content=_text(texts),
            model=usage.get("model") or request["model"],
            prompt_tokens=usage.get("prompt_tokens") or 0,
            completion_tokens=usage.get("completion_tokens") or 0,
            raw=response,
            cost=cost,
        )

    def _cost(self, client: ModelClient, response: Any) -> float:
        """By the entry's price if it has one, as in AutoGen; otherwise the class says it."""
        if self.price is None:
            return client.cost(response)
        usage = getattr(response, "usage", None)
        read, written = (getattr(usage, name, None) or 0 for name in ("prompt_tokens", "completion_tokens"))
        return (read * self.price[0] + written * self.price[1]) / 1000


def _text(texts: list[Any]) -> str:
    """The first of what ``message_retrieval`` gave, which may be texts, dicts or objects."""
    first = texts[0] if texts else None
    content = first if isinstance(first, str) else text_at({"content": _content(first)}, "content")
    if content is None:
        raise IncompleteAnswer("its message has no text")
    return content


def _content(message: Any) -> Any:
    return message.get("content") if isinstance(message, dict) else getattr(message, "content", None)
