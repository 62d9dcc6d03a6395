"""OpenAI's chat completions API, which many servers speak, through OpenAI's own library."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cellblock.agentchat.models.endpoint import Answer, IncompleteAnswer, arguments_for
from cellblock.agentchat.models.reading import count_at, plain, text_at, transport_errors, value_at
from cellblock.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk

__all__ = ["AZURE_OPTIONS", "CLIENT_OPTIONS", "OpenAIProvider"]

CLIENT_OPTIONS = frozenset(
    {"api_key", "base_url", "default_headers", "default_query", "http_client", "max_retries", "organization", "project"}
)
"""What an entry of a ``config_list`` says about the connection rather than the request."""

AZURE_OPTIONS = frozenset(
    {"api_version", "azure_ad_token", "azure_ad_token_provider", "azure_deployment", "azure_endpoint"}
)
"""What it can say about Azure's."""

_NAMED = frozenset({"messages", "model", "stream", "stream_options"})


class OpenAIProvider:
    """Asks servers that speak the chat completions API. No connection is left open between requests.

    Args:
        options: Arguments for OpenAI's client.
        azure: Whether the server is Azure's.
        timeout: Seconds for one attempt.

    Raises:
        MissingDependency: The library is not installed.
        openai.OpenAIError: There is no API key, in the options or the environment.
    """

    name = "openai"

    def __init__(self, options: Mapping[str, Any], *, azure: bool = False, timeout: float) -> None:
        self._options = {**options, "timeout": timeout}
        if "azure_deployment" in options:
            self._options["azure_deployment"] = _deployment(options["azure_deployment"])
        self._azure = azure
        self._client()  # complains now, and not at the first question, of what is missing

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the library raises for a request that failed for good."""
        from openai import APIError

        return (APIError,)

    async def ask(self, request: Mapping[str, Any], on_text: Callable[[str], None] | None) -> Answer:
        """See ``Provider``."""
        if not self._azure:
            return await self._ask(request, on_text)
        deployment = _deployment(request["model"])
        answer = await self._ask({**request, "model": deployment}, on_text)
        return replace(answer, model=request["model"]) if answer.model == deployment else answer

    async def _ask(self, request: Mapping[str, Any], on_text: Callable[[str], None] | None) -> Answer:
        client = self._client()
        try:
            if request.get("stream"):
                return await _ask_for_stream(client, request, on_text)
            return _read(await client.chat.completions.create(**arguments_for({"stream": False, **request}, _NAMED)))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise IncompleteAnswer(f"it is no valid JSON ({error})") from error
        finally:
            if "http_client" not in self._options:
                await client.close()

    def _client(self) -> AsyncOpenAI:
        try:
            import openai
        except ImportError as error:
            raise MissingDependency.for_extra("Asking a model through OpenAI's API", "agents") from error
        return (openai.AsyncAzureOpenAI if self._azure else openai.AsyncOpenAI)(**self._options)


def _deployment(model: str) -> str:
    """What Azure's deployment of a model is called: its names have no dots, and AutoGen leaves them out."""
    return model.replace(".", "")


async def _ask_for_stream(
    client: AsyncOpenAI, request: Mapping[str, Any], on_text: Callable[[str], None] | None
) -> Answer:
    from openai import APIConnectionError, APITimeoutError

    arguments = arguments_for({"stream_options": {"include_usage": True}, **request}, _NAMED)
    broken: tuple[type[Exception], ...] = (APIConnectionError, *transport_errors())
    stream = await client.chat.completions.create(**arguments)
    try:
        return await _read_stream(stream, on_text)
    except APITimeoutError:
        raise
    except broken as error:
        raise IncompleteAnswer("its stream broke off") from error


def _read(completion: Any) -> Answer:
    """The answer in a response: a ``ChatCompletion``, if the server sent one."""
    if isinstance(completion, str):
        raise IncompleteAnswer("it is text, not JSON")
    answer = plain(completion)
    if value_at(answer, "choices", 0) is None:
        error = value_at(answer, "error")
        raise IncompleteAnswer(f"it is an error: {error}" if error else "it has no choices")
    message = value_at(answer, "choices", 0, "message")
    content = text_at(message, "content")
    if content is None:
        content = text_at(message, "refusal")
    if content is None:
        raise IncompleteAnswer("its message has no text")
    return Answer(
        content=content,
        model=text_at(answer, "model") or "",
        prompt_tokens=count_at(answer, "usage", "prompt_tokens"),
        completion_tokens=count_at(answer, "usage", "completion_tokens"),
        raw=completion,
    )


async def _read_stream(stream: AsyncStream[ChatCompletionChunk], on_text: Callable[[str], None] | None) -> Answer:
    pieces: list[str] = []
    model, prompt_tokens, completion_tokens, finished = "", 0, 0, False
    async for chunk in stream:
        event = plain(chunk)
        model = text_at(event, "model") or model
        prompt_tokens = count_at(event, "usage", "prompt_tokens") or prompt_tokens
        completion_tokens = count_at(event, "usage", "completion_tokens") or completion_tokens
        if piece := text_at(event, "choices", 0, "delta", "content"):
            pieces.append(piece)
            if on_text is not None:
                on_text(piece)
        finished = finished or value_at(event, "choices", 0, "finish_reason") is not None
    if not finished:
        raise IncompleteAnswer("its stream ended before the answer did")
    return Answer("".join(pieces), model, prompt_tokens, completion_tokens)
