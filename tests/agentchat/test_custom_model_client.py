"""Models behind a class of the user: AutoGen's ModelClient."""

from types import SimpleNamespace

import pytest

from cellblock.agentchat import ConversableAgent
from cellblock.agentchat.models.custom_client import ModelClient
from cellblock.errors import RemoteProtocolError


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


class Telling(Echo):
    """Writes down what it is asked with, and answers with dicts; knows what an answer cost only from the answer."""

    def create(self, params):
        self.config["asked"].append(params)
        usage = SimpleNamespace(prompt_tokens=1000, completion_tokens=500)
        return SimpleNamespace(choices=[{"role": "assistant", "content": "a dict"}], model="telling-1", usage=usage)

    def message_retrieval(self, response):
        return response.choices

    def cost(self, response):
        return 0.5 if response.usage else 0

    @staticmethod
    def get_usage(response):
        return {"prompt_tokens": 2, "completion_tokens": 3, "cost": response.cost, "model": response.model}


def telling(**entry):
    """An agent with that class, and what the class is asked with."""
    asked = Kept()
    own = {"model_client_cls": "Telling", "asked": asked, "size": 7, **entry}
    agent = ConversableAgent("a", llm_config={"config_list": [own], "cache_seed": None}, human_input_mode="NEVER")
    agent.register_model_client(Telling)
    return agent, asked


class Kept(list):
    """A list that stays the same when an llm_config is copied."""

    def __deepcopy__(self, memo):
        return self


def test_class_is_asked_with_what_is_for_a_model_and_needs_no_name_of_one():
    agent, asked = telling(price=[1, 4], tags=["mine"], api_type="mine", api_key="key", timeout=3, temperature=0.5)
    assert agent.generate_reply(HELLO) == "a dict"
    (params,) = asked
    assert params.keys() == {"model_client_cls", "asked", "size", "temperature", "messages"}
    telling(model="any")[0].generate_reply(HELLO)


@pytest.mark.parametrize(("price", "cost"), [({}, 0.5), ({"price": [1, 4]}, 3), ({"price": 2}, 3)])
def test_cost_is_with_the_answer_when_its_usage_is_asked_for(price, cost):
    agent, _ = telling(model="any", **price)
    agent.generate_reply(HELLO)
    assert agent.get_total_usage()["telling-1"]["cost"] == cost


def test_counts_may_be_unknown():
    class Telling(Echo):
        @staticmethod
        def get_usage(response):  # noqa: ARG004
            return {"prompt_tokens": None, "completion_tokens": None, "cost": None, "model": None}

    entry = {"model_client_cls": "Telling", "size": 7}
    agent = ConversableAgent("a", llm_config={"config_list": [entry], "cache_seed": None}, human_input_mode="NEVER")
    agent.register_model_client(Telling)
    assert agent.generate_reply(HELLO) == "echo 7 hello"
    assert agent.get_total_usage()["Telling"]["total_tokens"] == 0


def test_answer_without_text_is_none():
    class Telling(Echo):
        def message_retrieval(self, response):  # noqa: ARG002
            return [{"role": "assistant", "content": None, "tool_calls": []}]

    entry = {"model_client_cls": "Telling", "size": 7}
    agent = ConversableAgent("a", llm_config={"config_list": [entry], "cache_seed": None}, human_input_mode="NEVER")
    agent.register_model_client(Telling)
    with pytest.raises(RemoteProtocolError, match="gave no usable answer in 3 attempts: its message has no text"):
        agent.generate_reply(HELLO)
