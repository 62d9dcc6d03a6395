"""What models used and what it cost; answers from a cache."""

import pytest

from cellblock.agentchat import Cache, ConversableAgent, ModelReply, gather_usage_summary
from cellblock.agentchat.models.prices import cost_of
from cellblock.errors import RemoteProtocolError
from model_server import Says

QUESTION = [{"content": "hello?", "role": "user"}]


def writer(config, name="writer"):
    return ConversableAgent(name, llm_config=config, human_input_mode="NEVER")


def test_cost_by_the_price_list(server):
    server.script = [
        Says("a", prompt_tokens=200, completion_tokens=100),
        Says("b", prompt_tokens=364, completion_tokens=93),
    ]
    agent = writer(server.config())
    agent.generate_reply(QUESTION)
    agent.generate_reply(QUESTION)
    usage = agent.get_total_usage()
    assert usage == agent.get_actual_usage()
    assert usage == {
        "total_cost": pytest.approx(0.0285),
        "gpt-4-0613": {
            "cost": pytest.approx(0.0285),
            "prompt_tokens": 564,
            "completion_tokens": 193,
            "total_tokens": 757,
        },
    }


def test_price_of_ones_own(server):
    server.script = [Says("a", model="mine", prompt_tokens=1000, completion_tokens=500)]
    agent = writer(server.config(price=[1, 4]))
    agent.generate_reply(QUESTION)
    assert agent.get_total_usage()["mine"]["cost"] == 3


def test_one_price_for_both(server):
    server.script = [Says("a", model="mine", prompt_tokens=1000, completion_tokens=500)]
    agent = writer(server.config(price=2))
    agent.generate_reply(QUESTION)
    assert agent.get_total_usage()["mine"]["cost"] == 3


@pytest.mark.parametrize("price", ["cheap", [1], [1, "2"], {}])
def test_price_that_is_none(server, price):
    with pytest.raises(
        ValueError, match=r"^'price' in llm_config is the dollars for 1000 tokens read and for 1000 written"
    ):
        writer(server.config(price=price))


@pytest.mark.parametrize("price", [None, 1])
def test_counts_that_are_none_leave_the_answer_and_make_its_cost_unknown(server, price):
    server.script = [Says("a", prompt_tokens=-5)]
    agent = writer(server.config(price=price))
    assert agent.generate_reply(QUESTION) == "a"
    assert agent.usage.unknown_costs() == ["gpt-4-0613"]


def test_unknown_price_is_said_once(server, capsys):
    server.script = [Says("a", model="nobody-knows-it")] * 3
    agent = writer(server.config())
    user = ConversableAgent("user", llm_config=False, human_input_mode="NEVER")
    result = user.initiate_chat(agent, message="hello?", max_turns=3, silent=True)
    out = capsys.readouterr().out
    assert out.count("Model nobody-knows-it is not found. The cost will be 0. In your config_list, add field") == 1
    assert "WARNING" in out
    assert result.cost["usage_including_cached_inference"]["nobody-knows-it"]["cost"] == 0
    assert result.unknown_costs == ("nobody-knows-it",)
    agent.print_usage_summary("total")
    assert "* Model 'nobody-knows-it': cost: unknown, prompt_tokens: 30, " in capsys.readouterr().out


def test_usage_summary_is_printed(server, capsys):
    server.script = ["a"]
    agent = writer(server.config())
    agent.print_usage_summary()
    agent.generate_reply(QUESTION)
    agent.print_usage_summary()
    assert capsys.readouterr().out == (
        "Agent 'writer': no usage (excluding cached answers).\n"
        "Agent 'writer': no usage (including cached answers).\n"
        "Agent 'writer': usage summary excluding cached answers, total cost $0.00060\n"
        "* Model 'gpt-4-0613': cost: $0.00060, prompt_tokens: 10, completion_tokens: 5, total_tokens: 15\n"
        "Agent 'writer': usage summary including cached answers, total cost $0.00060\n"
        "* Model 'gpt-4-0613': cost: $0.00060, prompt_tokens: 10, completion_tokens: 5, total_tokens: 15\n"
    )


def test_usage_of_several_agents(server):
    server.script = ["a", Says("b", model="gpt-4o-mini"), "c"]
    agents = [writer(server.config(), name) for name in ("ann", "bob")]
    for agent in (*agents, agents[0]):
        agent.generate_reply(QUESTION)
    total = gather_usage_summary(agents)["usage_including_cached_inference"]
    assert {model: usage["total_tokens"] for model, usage in total.items() if model != "total_cost"} == {
        "gpt-4-0613": 30,
        "gpt-4o-mini": 15,
    }
    assert total["total_cost"] == pytest.approx(sum(total[model]["cost"] for model in ("gpt-4-0613", "gpt-4o-mini")))


def test_reset_forgets_usage(server):
    server.script = ["a"]
    agent = writer(server.config())
    agent.generate_reply(QUESTION)
    agent.reset()
    assert agent.get_total_usage() is None


def test_model_function_may_say_its_cost():
    agent = ConversableAgent("a", model=lambda _: ModelReply("hi", "mine", 3, 4, cost=0.5), human_input_mode="NEVER")
    assert agent.generate_reply(QUESTION) == "hi"
    assert agent.get_total_usage() == {
        "total_cost": 0.5,
        "mine": {"cost": 0.5, "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }


@pytest.mark.parametrize(
    ("model", "base_url", "cost"),
    [
        ("gpt-4", None, 0.09),
        ("gpt-4", "https://api.openai.com/v1", 0.09),
        ("gpt-4", "http://127.0.0.1:1/v1", 0.09),
        ("none-such", None, None),
        ("none-such", "https://api.openai.com/v1", None),
    ],
)
def test_cost_of(model, base_url, cost):
    assert cost_of(model, 1000, 1000, provider="openai", base_url=base_url) == cost


def test_repeated_request_is_not_sent(server, tmp_path):
    """AutoGen's default: a cache with the seed 41 in the current directory."""
    server.script = ["a", "b"]
    config = server.config()
    del config["cache_seed"]
    assert writer(config).generate_reply(QUESTION) == "a"
    agent = writer(config)
    assert agent.generate_reply(QUESTION) == "a"
    assert len(server.requests) == 1
    assert len(list((tmp_path / ".cache" / "41").iterdir())) == 1
    assert agent.get_actual_usage() is None
    assert agent.get_total_usage()["gpt-4-0613"]["total_tokens"] == 15
    assert agent.generate_reply([{"content": "other", "role": "user"}]) == "b"


def test_seed_names_another_cache(server):
    server.script = ["a", "b", "c"]
    replies = [writer(server.config(cache_seed=seed)).generate_reply(QUESTION) for seed in (1, 2, 1, None)]
    assert replies == ["a", "b", "a", "c"]


def test_cache_given_to_the_chat(server, tmp_path):
    server.script = ["a", "b"]
    user = ConversableAgent("user", llm_config=False, human_input_mode="NEVER")
    with Cache.disk(cache_seed=7, cache_path_root=str(tmp_path / "mine")) as cache:
        for _ in range(2):
            result = user.initiate_chat(writer(server.config()), message="hi", max_turns=1, cache=cache, silent=True)
            assert result.summary == "a"
    user.initiate_chat(writer(server.config()), message="hi", max_turns=1, silent=True)
    assert len(server.requests) == 2
    assert (tmp_path / "mine" / "7").is_dir()


def test_failure_is_not_cached(server):
    server.script = [Says(None)] * 3 + ["a"]
    agent = writer(server.config(cache_seed=3))
    with pytest.raises(RemoteProtocolError, match="no usable answer"):
        agent.generate_reply(QUESTION)
    assert agent.generate_reply(QUESTION) == "a"


def test_damaged_cache_file_is_no_answer(tmp_path):
    cache = Cache.disk(1, str(tmp_path))
    cache.set("key", {"a": 1})
    assert cache.get("key") == {"a": 1}
    (file,) = (tmp_path / "1").iterdir()
    file.write_text("{")
    assert cache.get("key", "none") == "none"


def test_entry_may_name_a_cache_of_its_own(server, tmp_path):
    server.script = ["first", "second"]
    entry = {"model": "gpt-4", "api_key": "key", "base_url": server.url, "cache_seed": None}
    agent = writer({"config_list": [entry]})
    assert [agent.generate_reply(QUESTION), agent.generate_reply(QUESTION)] == ["first", "second"]
    assert not (tmp_path / ".cache").exists()
