"""A model from AutoGen's ``llm_config``: the entries of its ``config_list`` asked in order, with a cache before them."""

from __future__ import annotations

import copy
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from cellblock.agentchat.cache import DEFAULT_CACHE_SEED, Cache
from cellblock.agentchat.io import IOStream
from cellblock.agentchat.models import anthropic_api, openai_api
from cellblock.agentchat.models.custom_client import CustomClients
from cellblock.agentchat.models.endpoint import DEFAULT_TIMEOUT, Endpoint
from cellblock.agentchat.models.prices import own_price
from cellblock.agentchat.models.reply import ModelReply
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.models.endpoint import Provider
    from cellblock.agentchat.models.reply import Model

__all__ = ["LLMConfig", "checked_llm_config", "model_from_llm_config"]

LLMConfig = dict[str, Any] | Literal[False]

_OURS = frozenset({"api_type", "cache_seed", "config_list", "model", "model_client_cls", "price", "tags", "timeout"})
_NO_TOOLS = "function and tool calls are not supported. Have the model write code."
_UNSUPPORTED = {
    "functions": _NO_TOOLS,
    "tools": _NO_TOOLS,
    "api_rate_limit": "the pace of requests cannot be limited. Leave it out; a request that came too soon is sent again.",
    "cache": "a cache is given to initiate_chat(), or named by cache_seed. Leave it out.",
    "context": "messages have no templates. Leave it out.",
    "filter_func": "answers cannot be filtered. Use a function of your own as the agent's model.",
}
_OF_AUTOGEN = frozenset({"agent", "allow_format_str_template", "api_version", *_UNSUPPORTED})
"""What AutoGen keeps from the server as well."""

_CONNECTION = openai_api.CLIENT_OPTIONS | openai_api.AZURE_OPTIONS
"""What AutoGen keeps from a class of the user's, which has it from its constructor."""

_log = logging.getLogger(__name__)


def checked_llm_config(llm_config: Any) -> LLMConfig:
    """A copy of an ``llm_config``; False for None.

    Args:
        llm_config: As an agent's constructor takes it.

    Raises:
        AssertionError: It is neither a dict nor False nor None.
        TypeError: A value in it cannot be copied.
        ConfigError: An entry names no model, or asks for what is not supported.
    """
    if llm_config is None or llm_config is False:
        return False
    if not isinstance(llm_config, dict):
        raise AssertionError("llm_config must be a dict or False or None.")
    try:
        own = copy.deepcopy(llm_config)
    except TypeError as error:
        raise TypeError(
            f"A value in llm_config cannot be copied ({error}). Give its class a __deepcopy__ method, for example one that "
            "returns the object itself."
        ) from error
    entries = _entries(own)
    if not all(entry.get("model") or entry.get("model_client_cls") for entry in entries):
        raise ConfigError(
            "When using OpenAI or Azure OpenAI endpoints, specify a non-empty 'model' either in 'llm_config' or in each "
            "config of 'config_list'."
        )
    for key, reason in _UNSUPPORTED.items():
        if any(entry.get(key) not in (None, [], {}) for entry in entries):
            raise ConfigError(f"'{key}' in llm_config: {reason}")
    return own


def model_from_llm_config(llm_config: LLMConfig, custom: CustomClients | None = None) -> Model | None:
    """The model an ``llm_config`` describes; None if there is none.

    Args:
        llm_config: As ``checked_llm_config`` gives it.
        custom: The classes of the entries that have a ``model_client_cls``.

    Raises:
        MissingDependency: A provider's library is not installed.
        ConfigError: A provider is not known.
        openai.OpenAIError: There is no API key.
    """
    if not llm_config:
        return None
    clients = custom or CustomClients()
    choices = [
        _Choice(
            clients.endpoint(entry, _request_options(entry, _CONNECTION))
            if entry.get("model_client_cls")
            else _endpoint(entry),
            entry.get("cache_seed", DEFAULT_CACHE_SEED),
        )
        for entry in _entries(llm_config)
    ]
    return _Fallback(choices).ask


@dataclass(frozen=True, slots=True)
class _Choice:
    """Where to ask, and which cache to look in first; None for none."""

    endpoint: Endpoint
    cache_seed: str | int | None


class _Fallback:
    """Several endpoints, asked in order until one answers.

    Args:
        choices: Where to ask.
    """

    def __init__(self, choices: Sequence[_Choice]) -> None:
        self._choices = choices

    async def ask(self, messages: list[Message]) -> ModelReply:
        """The first endpoint's reply; the next one's if that fails.

        Raises:
            Exception: What the last one raised.
        """
        for choice in self._choices[:-1]:
            try:
                return await _ask(choice, messages)
            except choice.endpoint.errors as error:
                _log.warning("%s failed: %s. The next one in config_list is asked.", choice.endpoint, error)
        return await _ask(self._choices[-1], messages)


async def _ask(choice: _Choice, messages: list[Message]) -> ModelReply:
    endpoint, seed = choice.endpoint, choice.cache_seed
    cache = Cache.in_use() or (None if seed is None else Cache.disk(seed))
    if cache is None:
        return await endpoint.ask(messages)
    key = endpoint.key(endpoint.request(messages))
    known = cache.get(key)
    if known is not None:
        return ModelReply(**known, cached=True)
    reply = await endpoint.ask(messages)
    kept = ("content", "model", "prompt_tokens", "completion_tokens", "cost")
    cache.set(key, {name: value for name, value in asdict(reply).items() if name in kept})
    return reply


def _entries(llm_config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of the ``config_list``, each with what holds for all; without a list, the one entry there is."""
    common = {key: value for key, value in llm_config.items() if key != "config_list"}
    return [{**common, **entry} for entry in llm_config.get("config_list") or [{}]]


def _endpoint(entry: Mapping[str, Any]) -> Endpoint:
    timeout = float(entry.get("timeout") or DEFAULT_TIMEOUT)
    provider, connection = _provider(entry, timeout)
    return Endpoint(
        model=entry["model"],
        provider=provider,
        base_url=entry.get("base_url") or entry.get("azure_endpoint"),
        options=_request_options(entry, connection),
        timeout=timeout,
        price_1k=own_price(entry.get("price")),
        on_text=_print_piece,
    )


def _request_options(entry: Mapping[str, Any], connection: frozenset[str]) -> dict[str, Any]:
    """What of an entry is for the request, beside the model's name."""
    return {key: value for key, value in entry.items() if key not in _OURS | _OF_AUTOGEN | connection}


def _provider(entry: Mapping[str, Any], timeout: float) -> tuple[Provider, frozenset[str]]:
    """What speaks the entry's API, and the keys of the entry that are for it."""
    api_type = entry.get("api_type") or "openai"
    if api_type == "anthropic":
        keys = anthropic_api.CLIENT_OPTIONS
        return anthropic_api.AnthropicProvider(_those(entry, keys), timeout=timeout), keys
    if api_type == "azure":
        keys = openai_api.CLIENT_OPTIONS | openai_api.AZURE_OPTIONS
        options = _those(entry, keys)
        if "base_url" in options:
            options.setdefault("azure_endpoint", options.pop("base_url"))
        return openai_api.OpenAIProvider(options, azure=True, timeout=timeout), keys
    if api_type in ("openai", "open_ai"):
        keys = openai_api.CLIENT_OPTIONS
        return openai_api.OpenAIProvider(_those(entry, keys), timeout=timeout), keys
    raise ConfigError(f'api_type is "openai", "azure" or "anthropic", not {api_type!r}.')


def _those(entry: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return {key: entry[key] for key in keys if entry.get(key) is not None}


def _print_piece(text: str) -> None:
    IOStream.get_default().print(text, end="", flush=True)
