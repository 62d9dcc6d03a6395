"""One model at one address, and asking it: time limit, repetition of what failed, and what its answer costs.

An endpoint is one entry of a ``config_list``. What speaks a provider's API is a ``Provider``.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from cellblock._core.terminal import encodable
from cellblock.agentchat.models.prices import cost_of
from cellblock.agentchat.models.reading import transport_errors
from cellblock.agentchat.models.reply import ModelReply
from cellblock.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellblock.agentchat.messages import Message

__all__ = ["DEFAULT_TIMEOUT", "Answer", "Endpoint", "IncompleteAnswer", "Provider", "arguments_for"]

DEFAULT_TIMEOUT = 300.0
"""Seconds for an answer, with everything that is tried again."""

_ATTEMPTS = 3
_PAUSE_SECONDS = 0.2
_MESSAGE_KEYS = ("content", "role", "name")


def arguments_for(request: Mapping[str, Any], named: frozenset[str]) -> dict[str, Any]:
    """A request as arguments for a provider's library: what its version does not name goes into the body as it is.

    Args:
        request: What is to be sent.
        named: What every version of the library names.
    """
    of_library = named | {"extra_headers", "extra_query"}
    arguments = {key: value for key, value in request.items() if key in of_library}
    rest = {key: value for key, value in request.items() if key not in of_library and key != "extra_body"}
    body = {**rest, **request.get("extra_body", {})}
    return {**arguments, "extra_body": body} if body else arguments


class IncompleteAnswer(Exception):
    """An answer came that is none: no text, a broken stream, no JSON. The message says what was wrong with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request, whoever was asked.

    Attributes:
        content: The text.
        model: The name the model answered under; empty if it gave none, for the name it was asked by.
        prompt_tokens: Tokens it read.
        completion_tokens: Tokens it wrote.
        raw: The answer as the provider's library gives it.
        cost: US dollars, if the provider says them.
    """

    content: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    raw: Any = None
    cost: float | None = None


class Provider(Protocol):
    """Speaks the API of one provider.

    Attributes:
        name: The provider's name in price lists.
        errors: What its library raises for a request that failed for good.
    """

    name: str

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """See the class."""
        ...

    async def ask(self, request: Mapping[str, Any], on_text: Callable[[str], None] | None) -> Answer:
        """Sends one request; the library repeats what fails on the way.

        Args:
            request: ``model``, ``messages`` and what else the API takes.
            on_text: Called with each piece of the text as it comes, if the request is for a stream.

        Raises:
            IncompleteAnswer: What came is no answer.
        """
        ...


@dataclass(frozen=True)
class Endpoint:
    """One model at one address.

    Attributes:
        model: The model's name.
        provider: Speaks its API.
        base_url: The address, for messages and prices; None for the provider's own.
        options: What each request has beside the messages.
        timeout: Seconds for an answer, with everything that is tried again.
        price_1k: Dollars for 1000 tokens read and written; by the price list if None.
        on_text: Called with each piece of an answer as it comes, where ``options`` ask for a stream, and with a line break
            at its end.
    """

    model: str
    provider: Provider
    base_url: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = DEFAULT_TIMEOUT
    price_1k: Sequence[float] | None = None
    on_text: Callable[[str], None] | None = None

    def __str__(self) -> str:
        return f"The model {self.model}" + (f" at {self.base_url}" if self.base_url else "")

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What ``ask`` raises when there is no answer."""
        return (*self.provider.errors, TimeoutError, RemoteProtocolError)

    def request(self, messages: Sequence[Message]) -> dict[str, Any]:
        """What is sent for messages."""
        kept = [{key: message[key] for key in _MESSAGE_KEYS if key in message} for message in messages]
        return {**self.options, "model": self.model, "messages": kept}

    def key(self, request: Mapping[str, Any]) -> str:
        """What a cache keeps the answer to a request under."""
        return json.dumps([self.provider.name, self.base_url, request], sort_keys=True, default=repr)

    async def ask(self, messages: Sequence[Message]) -> ModelReply:
        """The model's reply.

        Args:
            messages: The chat so far.

        Raises:
            TimeoutError: There was none within ``timeout``.
            RemoteProtocolError: What came was none, also after several attempts.
            Exception: What the provider's library raises for a request that failed.
        """
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._answer(self.request(messages))
        except TimeoutError as error:
            raise TimeoutError(
                f"{self} gave no answer within {self.timeout:g} s. Ask again, or set a longer timeout."
            ) from error
        except self.provider.errors as error:
            cause = str(error.__cause__) if isinstance(error.__cause__, transport_errors()) else ""
            error.add_note(": ".join(filter(None, (f"{self} was asked", cause.removesuffix(".")))) + ".")
            raise
        return ModelReply(
            content=encodable(answer.content),  # JSON can hold half a pair, with which no later request could be sent
            model=answer.model or self.model,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            cost=answer.cost if answer.cost is not None else self._cost(answer),
            raw=answer.raw,
        )

    def _show(self, piece: str) -> None:
        if self.on_text is not None:
            self.on_text(encodable(piece))

    def _cost(self, answer: Answer) -> float | None:
        return cost_of(
            answer.model or self.model,
            answer.prompt_tokens,
            answer.completion_tokens,
            provider=self.provider.name,
            base_url=self.base_url,
            price_1k=self.price_1k,
        )

    async def _answer(self, request: Mapping[str, Any]) -> Answer:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self.provider.ask(request, self._show if self.on_text else None)
            except IncompleteAnswer as error:
                if attempt == _ATTEMPTS:
                    raise RemoteProtocolError(
                        f"{self} gave no usable answer in {attempt} attempts: {error}. Ask again, or check the server."
                    ) from error
            finally:
                if self.on_text is not None and request.get("stream"):
                    self.on_text("\n")
            await asyncio.sleep(_PAUSE_SECONDS * attempt)
        raise AssertionError("every attempt returns or raises")
