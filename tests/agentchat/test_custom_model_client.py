"""Models behind a class of the user: AutoGen's ModelClient."""

from types import SimpleNamespace

import pytest

from cellblock.agentchat import ConversableAgent
from cellblock.agentchat.models.custom_client import ModelClient


class Echo:
    def __init__(self, config, prefix="echo"):
        self.config, self.prefix = config, prefix

    def create(self, params):
        text = f"{self.prefix} {params['size']} {params['messages'][-1]['content']}"
        return SimpleNamespace(
            choices=[SimpleNamespace(message=SimpleNamespace(content=text))], model="echo-1", cost=0.25
        )

    def message_retrieval(self, response):
        return [choice.message.content for choice in response.choices]

    def cost(self, response):
        return response.cost

    @staticmethod
    def get_usage(response):
        return {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5, "cost": 0.25, "model": response.model}


CONFIG = {"config_list": [{"model": "any", "model_client_cls": "Echo", "size": 7}], "cache_seed": None}
HELLO = [{"content": "hello", "role": "user"}]


def test_class_is_asked():
    assert issubclass(Echo, ModelClient)
    agent = ConversableAgent("a", llm_config=CONFIG, human_input_mode="NEVER")
    agent.register_model_client(Echo, prefix="you said")
    assert agent.generate_reply(HELLO) == "you said 7 hello"
    assert agent.get_total_usage()["echo-1"] == {
        "cost": 0.25,
        "prompt_tokens": 2,
        "completion_tokens": 3,
        "total_tokens": 5,
    }


def test_class_must_be_registered():
    agent = ConversableAgent("a", llm_config=CONFIG, human_input_mode="NEVER")
    with pytest.raises(ValueError, match=r"^The model client Echo is not there yet\. Call register_model_client\(\)"):
        agent.generate_reply(HELLO)


def test_class_must_be_waited_for():
    agent = ConversableAgent("a", llm_config=CONFIG, human_input_mode="NEVER")
    agent.register_model_client(Echo)
    for _ in range(2):
        with pytest.raises(
            ValueError, match=r"^No entry of config_list waits for the model client Echo; add one with "
        ):
            agent.register_model_client(Echo)
