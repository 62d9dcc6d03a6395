"""Anthropic's messages API, through Anthropic's own library."""

from __future__ import annotations

import json
import re
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Any

from cellblock.agentchat.models.endpoint import Answer, IncompleteAnswer, arguments_for
from cellblock.agentchat.models.reading import count_at, plain, text_at, transport_errors, value_at
from cellblock.coding.markdown_code_extractor import content_text
from cellblock.errors import ConfigError, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anthropic import AsyncAnthropic, AsyncStream
    from anthropic.types import RawMessageStreamEvent

    from cellblock.agentchat.messages import Message

__all__ = ["CLIENT_OPTIONS", "AnthropicProvider", "as_anthropic"]

CLIENT_OPTIONS = frozenset(
    {"api_key", "auth_token", "base_url", "default_headers", "default_query", "http_client", "max_retries"}
)
"""What an entry of a ``config_list`` says about the connection rather than the request."""

_DEFAULT_MAX_TOKENS = 8192
_NAMED = frozenset({"max_tokens", "messages", "model", "system"})
_DATA_URL = re.compile(r"data:([\w/+.-]+);base64,(.*)", re.DOTALL)
_NOTHING = "(nothing)"  # the API refuses empty texts


class AnthropicProvider:
    """Asks Anthropic's models.

    Args:
        options: Arguments for Anthropic's client.
        timeout: Seconds for one attempt.

    Raises:
        MissingDependency: The library is not installed.
    """

    name = "anthropic"

    def __init__(self, options: Mapping[str, Any], *, timeout: float) -> None:
        self._options = {**options, "timeout": timeout}
        self._client()

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the library raises for a request that failed for good."""
        from anthropic import APIError

        return (APIError,)

    async def ask(self, request: Mapping[str, Any], on_text: Callable[[str], None] | None) -> Answer:
        """See ``Provider``."""
        options = {key: value for key, value in request.items() if key not in ("messages", "stream")}
        whole = {"max_tokens": _DEFAULT_MAX_TOKENS, **options, **as_anthropic(request["messages"])}
        arguments = arguments_for(whole, _NAMED)
        client = self._client()
        try:
            if request.get("stream"):
                return await _ask_for_stream(client, arguments, on_text)
            return _read(await client.messages.create(**arguments))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise IncompleteAnswer(f"it is no valid JSON ({error})") from error
        except TypeError as error:  # the library looks for a key only now, and in more places than one
            if "authentication" not in str(error):
                raise
            raise ConfigError(
                "There is no key for Anthropic's API. Set ANTHROPIC_API_KEY, or give api_key in llm_config."
            ) from error
        finally:
            if "http_client" not in self._options:
                await client.close()

    def _client(self) -> AsyncAnthropic:
        try:
            import anthropic
        except ImportError as error:
            raise MissingDependency.for_extra("Asking one of Anthropic's models", "anthropic") from error
        return anthropic.AsyncAnthropic(**self._options)


def as_anthropic(messages: Sequence[Message]) -> dict[str, Any]:
    """Messages of a chat as that API takes them: first system messages apart, the two roles by turns, the user's first.

    A system message after others, such as the request for a summary, is the user's: an answer to it is wanted.

    Args:
        messages: The chat.
    """
    first = list(takewhile(lambda message: message["role"] == "system", messages))
    system = "\n\n".join(content_text(message["content"]) for message in first)
    turns = [
        {"role": role, "content": [part for message in said for part in _parts(message["content"])]}
        for role, said in groupby(messages[len(first) :], key=lambda message: _role(message["role"]))
    ]
    if not turns or turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": _NOTHING}]})
    return {"messages": turns, "system": system} if system else {"messages": turns}


def _role(role: str) -> str:
    return "assistant" if role == "assistant" else "user"


def _parts(content: Any) -> list[dict[str, Any]]:
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    return [_part(part) for part in parts]


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"].strip() or _NOTHING}
    url = part["image_url"]["url"]
    data = _DATA_URL.fullmatch(url)
    source = {"type": "base64", "media_type": data[1], "data": data[2]} if data else {"type": "url", "url": url}
    return {"type": "image", "source": source}


async def _ask_for_stream(
    client: AsyncAnthropic, arguments: Mapping[str, Any], on_text: Callable[[str], None] | None
) -> Answer:
    from anthropic import APIConnectionError, APITimeoutError

    broken: tuple[type[Exception], ...] = (APIConnectionError, *transport_errors())
    stream = await client.messages.create(**arguments, stream=True)
    try:
        return await _read_stream(stream, on_text)
    except APITimeoutError:
        raise
    except broken as error:
        raise IncompleteAnswer("its stream broke off") from error


def _read(response: Any) -> Answer:
    """The answer in a response: a ``Message``, if the server sent one."""
    if isinstance(response, str):
        raise IncompleteAnswer("it is text, not JSON")
    answer = plain(response)
    text = text_at(answer, "content")
    if not text:
        error = value_at(answer, "error")
        raise IncompleteAnswer(f"it is an error: {error}" if error else "its message has no text")
    return Answer(
        content=text,
        model=text_at(answer, "model") or "",
        prompt_tokens=count_at(answer, "usage", "input_tokens"),
        completion_tokens=count_at(answer, "usage", "output_tokens"),
        raw=response,
    )


async def _read_stream(stream: AsyncStream[RawMessageStreamEvent], on_text: Callable[[str], None] | None) -> Answer:
    pieces: list[str] = []
    model, prompt_tokens, completion_tokens, finished = "", 0, 0, False
    async for raw in stream:
        event = plain(raw)
        model = text_at(event, "message", "model") or model
        prompt_tokens = count_at(event, "message", "usage", "input_tokens") or prompt_tokens
        completion_tokens = count_at(event, "usage", "output_tokens") or completion_tokens
        if piece := text_at(event, "delta", "text"):
            pieces.append(piece)
            if on_text is not None:
                on_text(piece)
        finished = finished or value_at(event, "type") == "message_stop"
    if not finished:
        raise IncompleteAnswer("its stream ended before the answer did")
    if not pieces:
        raise IncompleteAnswer("its message has no text")
    return Answer("".join(pieces), model, prompt_tokens, completion_tokens)
