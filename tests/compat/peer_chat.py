"""Run in an environment with the real AutoGen or AG2: their agents, a model server, and an executor of cellblock."""

import json
import sys

from autogen import ConversableAgent

from cellblock.coding.jupyter import JupyterCodeExecutor


def main() -> None:
    url, directory = sys.argv[1:]
    config = {
        "config_list": [{"model": "gpt-4", "api_key": "key", "base_url": url, "price": [0, 0]}],
        "cache_seed": None,
    }
    with JupyterCodeExecutor(output_dir=directory) as executor:
        writer = ConversableAgent("writer", llm_config=config, human_input_mode="NEVER")
        runner = ConversableAgent(
            "runner", llm_config=False, code_execution_config={"executor": executor}, human_input_mode="NEVER"
        )
        result = runner.initiate_chat(writer, message="Count.", max_turns=3, silent=True)
    print(json.dumps([message["content"] for message in result.chat_history]))


main()
