"""The places of the built-in reply functions, which are those of AutoGen 0.2, and what is put between them."""

import pytest

from cellblock.agentchat import Agent, ConversableAgent

pytestmark = pytest.mark.anyio

HELLO = [{"content": "hi\n\n```python\nprint(1)\n```", "role": "user"}]
IN_ORDER = [
    "a_check_termination_and_human_reply",
    "check_termination_and_human_reply",
    "a_generate_function_call_reply",
    "generate_function_call_reply",
    "a_generate_tool_calls_reply",
    "generate_tool_calls_reply",
    "generate_code_execution_reply",
    "a_generate_oai_reply",
    "generate_oai_reply",
]


def an_agent(tmp_path, *, runs_code=True, **options):
    """An agent that runs code and has a model."""
    code = {"use_docker": False, "work_dir": str(tmp_path)} if runs_code else False
    return ConversableAgent(
        "a",
        human_input_mode="NEVER",
        model=lambda _: "of the model",
        code_execution_config=code,
        **options,
    )


def mine(*_, **__):
    return True, "mine"


async def mine_later(*_, **__):
    return True, "mine, later"


async def replies(agent, sender=None):
    """What it says when it is asked, and when it is awaited, in short."""
    said = agent.generate_reply(HELLO, sender), await agent.a_generate_reply(HELLO, sender)
    return tuple(
        reply and reply.removeprefix("exitcode: 0 (execution succeeded)\nCode output: \n").strip() for reply in said
    )


@pytest.mark.parametrize(
    ("position", "expected"), [(0, "mine"), (1, "mine"), (2, "mine"), (5, "mine"), (6, "mine"), (7, "1"), (9, "1")]
)
async def test_code_runs_before_what_is_registered_at_seven(tmp_path, position, expected):
    agent = an_agent(tmp_path)
    agent.register_reply([Agent, None], mine, position=position)
    assert await replies(agent) == (expected, expected)


@pytest.mark.parametrize(
    ("position", "asked", "awaited"),
    [(6, "mine", "mine"), (7, "mine", "of the model"), (8, "of the model", "of the model")],
)
async def test_model_has_two_places_of_which_each_kind_of_chat_asks_one(tmp_path, position, asked, awaited):
    agent = an_agent(tmp_path, runs_code=False)
    agent.register_reply([Agent, None], mine, position=position)
    assert await replies(agent) == (asked, awaited)


@pytest.mark.parametrize(
    ("position", "asked", "awaited"),
    [(0, "mine", "mine"), (1, "mine", None), (2, None, None)],
)
async def test_end_of_the_chat_has_two_places(tmp_path, position, asked, awaited):
    agent, sender = an_agent(tmp_path, is_termination_msg=lambda _: True), ConversableAgent("s", llm_config=False)
    agent.register_reply([Agent, None], mine, position=position)
    assert await replies(agent, sender) == (asked, awaited)


@pytest.mark.parametrize("name", IN_ORDER)
async def test_every_built_in_function_can_be_replaced(tmp_path, name):
    agent = an_agent(tmp_path, runs_code="code" in name)
    agent.replace_reply_func(getattr(ConversableAgent, name), mine_later if name.startswith("a_") else mine)
    said = await replies(agent)
    model = "of the model"
    if name.startswith("a_"):
        assert said == (model, "mine, later")
    elif name == "generate_oai_reply":
        assert said == ("mine", model)  # its twin comes before it
    else:
        assert said == ("mine", "mine")
