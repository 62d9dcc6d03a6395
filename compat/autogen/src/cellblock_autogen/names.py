"""Where AutoGen 0.2's names are."""

from __future__ import annotations

__all__ = ["API_VERSION", "HOMES", "MISSING", "SUBMODULES"]

API_VERSION = "0.2.40+cellblock"
"""The version of AutoGen whose names and printed forms these are."""

HOMES = {
    "Agent": "cellblock.agentchat",
    "AgentNameConflict": "cellblock_autogen.exception_utils",
    "AssistantAgent": "cellblock.agentchat",
    "Cache": "cellblock.agentchat",
    "ChatResult": "cellblock.agentchat",
    "ConversableAgent": "cellblock.agentchat",
    "DEFAULT_MODEL": "cellblock_autogen.code_utils",
    "FAST_MODEL": "cellblock_autogen.code_utils",
    "InvalidCarryOverType": "cellblock.agentchat",
    "ModelClient": "cellblock.agentchat.models.custom_client",
    "NoEligibleSpeaker": "cellblock_autogen.exception_utils",
    "OpenAIWrapper": "cellblock_autogen.oai.client",
    "SenderRequired": "cellblock_autogen.exception_utils",
    "UndefinedNextAgent": "cellblock_autogen.exception_utils",
    "UserProxyAgent": "cellblock.agentchat",
    "config_list_from_dotenv": "cellblock_autogen.oai.openai_utils",
    "config_list_from_json": "cellblock_autogen.oai.openai_utils",
    "config_list_from_models": "cellblock_autogen.oai.openai_utils",
    "filter_config": "cellblock_autogen.oai.openai_utils",
    "gather_usage_summary": "cellblock.agentchat",
    "get_config_list": "cellblock_autogen.oai.openai_utils",
    "initiate_chats": "cellblock.agentchat",
}
"""The modules of the names of ``autogen`` itself."""

_NO_GROUPS = "it has chats of two agents only"
_NO_CALLS = "its agents have code run instead of calling functions; give functions to the code executor"

MISSING = {
    "GroupChat": _NO_GROUPS,
    "GroupChatManager": _NO_GROUPS,
    "register_function": _NO_CALLS,
    "Completion": "it speaks the chat completions API only",
    "ChatCompletion": "use OpenAIWrapper",
}
"""Names of AutoGen that are not here, and why."""

SUBMODULES = {
    "agentchat": "cellblock.agentchat",
    "agentchat.agent": "cellblock.agentchat.agent",
    "agentchat.assistant_agent": "cellblock.agentchat.assistant_agent",
    "agentchat.chat": "cellblock.agentchat.chat",
    "agentchat.conversable_agent": "cellblock.agentchat.conversable_agent",
    "agentchat.user_proxy_agent": "cellblock.agentchat.user_proxy_agent",
    "agentchat.utils": "cellblock.agentchat.chat",
    "cache": "cellblock_autogen.cache",
    "cache.cache": "cellblock.agentchat.cache",
    "code_utils": "cellblock_autogen.code_utils",
    "coding": "cellblock.coding",
    "coding.base": "cellblock.coding.base",
    "coding.docker_commandline_code_executor": "cellblock.coding.docker_commandline_code_executor",
    "coding.factory": "cellblock.coding.factory",
    "coding.func_with_reqs": "cellblock.coding.func_with_reqs",
    "coding.jupyter": "cellblock.coding.jupyter",
    "coding.jupyter.base": "cellblock.servers.connection_info",
    "coding.jupyter.docker_jupyter_server": "cellblock.servers.docker",
    "coding.jupyter.embedded_ipython_code_executor": "cellblock.coding.jupyter.embedded",
    "coding.jupyter.jupyter_client": "cellblock_autogen.jupyter_client",
    "coding.jupyter.jupyter_code_executor": "cellblock.coding.jupyter.executor",
    "coding.jupyter.local_jupyter_server": "cellblock.servers.local",
    "coding.local_commandline_code_executor": "cellblock_autogen.local_commandline_code_executor",
    "coding.markdown_code_extractor": "cellblock.coding.markdown_code_extractor",
    "coding.utils": "cellblock_autogen.coding_utils",
    "exception_utils": "cellblock_autogen.exception_utils",
    "io": "cellblock_autogen.io",
    "io.base": "cellblock.agentchat.io",
    "io.console": "cellblock.agentchat.io",
    "oai": "cellblock_autogen.oai",
    "oai.client": "cellblock_autogen.oai.client",
    "oai.openai_utils": "cellblock_autogen.oai.openai_utils",
}
"""What the submodules of ``autogen`` are."""
