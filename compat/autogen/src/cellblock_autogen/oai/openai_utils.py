"""``autogen.oai.openai_utils``: lists of models' settings from files and the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "config_list_from_dotenv",
    "config_list_from_json",
    "config_list_from_models",
    "filter_config",
    "get_config_list",
]

Config = dict[str, Any]
FilterDict = Mapping[str, Sequence[Any]] | None

_DEFAULT_KEYS = {"gpt-4": "OPENAI_API_KEY", "gpt-3.5-turbo": "OPENAI_API_KEY"}


def get_config_list(
    api_keys: Sequence[str],
    base_urls: Sequence[str] | None = None,
    api_type: str | None = None,
    api_version: str | None = None,
) -> list[Config]:
    """One entry for each key.

    Args:
        api_keys: The keys; empty ones are left out.
        base_urls: An address for each key.
        api_type: The kind of all of them.
        api_version: The version of all of them.

    Raises:
        AssertionError: There are not as many addresses as keys.
    """
    if base_urls is not None and len(base_urls) != len(api_keys):
        raise AssertionError("The length of api_keys must match the length of base_urls")
    more = {"api_type": api_type, "api_version": api_version}
    common = {name: value for name, value in more.items() if value}
    addresses = [{"base_url": url} for url in base_urls] if base_urls else [{} for _ in api_keys]
    return [
        {"api_key": key, **address, **common} for key, address in zip(api_keys, addresses, strict=True) if key.strip()
    ]


def config_list_from_models(
    key_file_path: str | None = ".",
    openai_api_key_file: str | None = "key_openai.txt",
    model_list: Sequence[str] | None = None,
) -> list[Config]:
    """One entry for each model, with the key of the variable OPENAI_API_KEY or of a file.

    Args:
        key_file_path: Where the file is.
        openai_api_key_file: The file.
        model_list: The models; without them there is one entry that names no model.
    """
    key = os.environ.get("OPENAI_API_KEY", "")
    file = Path(key_file_path or ".") / (openai_api_key_file or "")
    if not key and openai_api_key_file and file.is_file():
        key = file.read_text(encoding="utf-8").split("\n")[0].strip()
    if not key:
        return []
    return [{"api_key": key, "model": model} for model in model_list] if model_list else [{"api_key": key}]


def config_list_from_json(
    env_or_file: str, file_location: str | None = "", filter_dict: FilterDict = None
) -> list[Config]:
    """The entries of a JSON text or file.

    Args:
        env_or_file: A variable of the environment that holds the JSON or a file's path, or else (also if the variable is
            empty) a file.
        file_location: Where the file is.
        filter_dict: Which entries are wanted; see ``filter_config``.

    Raises:
        FileNotFoundError: There is no such variable or file.
    """
    value = os.environ.get(env_or_file)
    if not value:
        text = (Path(file_location or "") / env_or_file).read_text(encoding="utf-8")
    elif "\n" not in value and len(value) < 1000 and Path(value).is_file():
        text = Path(value).read_text(encoding="utf-8")
    else:
        text = value
    return filter_config(json.loads(text), filter_dict)


def config_list_from_dotenv(
    dotenv_file_path: str | None = None,
    model_api_key_map: Mapping[str, str | Mapping[str, Any]] | None = None,
    filter_dict: FilterDict = None,
) -> list[Config]:
    """One entry for each model whose key is in a ``.env`` file or the environment.

    Args:
        dotenv_file_path: The file; ``.env`` in the current directory if not given.
        model_api_key_map: By model, the key's variable, or a mapping with ``api_key_env_var`` and what else the entry has.
            "gpt-4" and "gpt-3.5-turbo" come after these with OPENAI_API_KEY if they are not among them.
        filter_dict: Which entries are wanted; see ``filter_config``.

    Raises:
        FileNotFoundError: The file that was given is not there.
    """
    variables = {**_read_dotenv(dotenv_file_path), **os.environ}
    entries: list[Config] = []
    named = model_api_key_map or {}
    others = {model: key for model, key in _DEFAULT_KEYS.items() if model not in named}
    for model, source in {**named, **others}.items():
        settings = {"api_key_env_var": source} if isinstance(source, str) else dict(source)
        key = variables.get(settings.pop("api_key_env_var", "OPENAI_API_KEY"), "").strip()
        if key:
            entries.append(
                {"api_key": key, "model": model, **{name: value for name, value in settings.items() if value}}
            )
    return filter_config(entries, filter_dict)


def filter_config(config_list: list[Config], filter_dict: FilterDict, exclude: bool = False) -> list[Config]:
    """The entries that have, under each key of the filter, one of its values; a list has each of its own.

    Args:
        config_list: The entries.
        filter_dict: The wanted values by key; None for all entries.
        exclude: Whether the entries that have none of them are given instead.
    """
    if not filter_dict:
        return config_list
    return [
        entry
        for entry in config_list
        if all(_has_one(entry.get(key), values) is not exclude for key, values in filter_dict.items())
    ]


def _has_one(value: Any, wanted: Sequence[Any]) -> bool:
    if value is None:
        return False
    return any(one in wanted for one in value) if isinstance(value, list) else value in wanted


def _read_dotenv(path: str | None) -> dict[str, str]:
    """The variables of a file with lines ``NAME=value``; values may be quoted."""
    file = Path(path or ".env")
    if path is None and not file.is_file():
        return {}
    variables: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        quoted = len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]
        variables[name.strip()] = value[1:-1] if quoted else value.split(" #")[0].strip()
    return variables
