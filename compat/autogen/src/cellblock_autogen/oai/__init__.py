"""``autogen.oai``: models and the lists of their settings."""

from __future__ import annotations

from cellblock.agentchat.cache import Cache
from cellblock.agentchat.models.custom_client import ModelClient
from cellblock_autogen.oai.client import OpenAIWrapper
from cellblock_autogen.oai.openai_utils import (
    config_list_from_dotenv,
    config_list_from_json,
    config_list_from_models,
    filter_config,
    get_config_list,
)

__all__ = [
    "Cache",
    "ModelClient",
    "OpenAIWrapper",
    "config_list_from_dotenv",
    "config_list_from_json",
    "config_list_from_models",
    "filter_config",
    "get_config_list",
]
