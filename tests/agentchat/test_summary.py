"""What a chat comes to."""

import pytest

from cellblock.agentchat import ConversableAgent
from model_server import Says, Sends


def user(**options):
    return ConversableAgent("user", human_input_mode="NEVER", **options)


def writer(*texts):
    script = iter(texts)
    return ConversableAgent("writer", model=lambda _: next(script), human_input_mode="NEVER")


def chat(last, **arguments):
    return user().initiate_chat(writer(last), message="hi", max_turns=1, silent=True, **arguments)


@pytest.mark.parametrize(("last", "summary"), [("done TERMINATE", "done "), ("", ""), ("TERMINATE", "")])
def test_last_message_without_the_word(last, summary):
    assert chat(last).summary == summary


def test_text_of_the_last_messages_parts():
    parts = {
        "content": [
            {"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "u"}},
            {"type": "text", "text": "b"},
        ]
    }
    bob = user(default_auto_reply=parts)
    assert user().initiate_chat(bob, message="hi", max_turns=1, silent=True).summary == "a\nb"


def test_no_summary():
    assert chat("x", summary_method=None).summary == ""
    assert user().initiate_chat(user(), message="hi", max_turns=0).summary == ""


def test_function():
    result = chat(
        "x", summary_method=lambda sender, recipient, args: (sender.name, recipient.name, args), summary_args={"a": 1}
    )
    assert result.summary == ("user", "writer", {"a": 1})


def test_recipients_model_is_asked(server):
    server.script = ["answer", Says("the gist")]
    agent = ConversableAgent("writer", llm_config=server.config(), human_input_mode="NEVER")
    result = user().initiate_chat(agent, message="hi", max_turns=1, summary_method="reflection_with_llm", silent=True)
    assert result.summary == "the gist"
    assert server.requests[1]["messages"] == [
        {"content": "hi", "role": "user", "name": "user"},
        {"content": "answer", "role": "assistant", "name": "writer"},
        {
            "role": "system",
            "content": "Summarize the takeaway from the conversation. Do not add any introductory phrases.",
        },
    ]
    assert result.cost["usage_including_cached_inference"]["gpt-4-0613"]["total_tokens"] == 30


def test_else_the_initiators_model_with_arguments(server):
    server.script = ["the gist"]
    agent = user(llm_config=server.config())
    arguments = {"summary_prompt": "In short?", "summary_role": "user"}
    result = agent.initiate_chat(
        user(), message="hi", max_turns=1, summary_method="reflection_with_llm", summary_args=arguments, silent=True
    )
    assert result.summary == "the gist"
    assert server.requests[0]["messages"][-1] == {"role": "user", "content": "In short?"}


def test_failing_model_leaves_the_chat_its_result(server):
    server.script = ["answer", Sends(b'{"error": {"message": "too long"}}', 400)]
    agent = ConversableAgent("writer", llm_config=server.config(), human_input_mode="NEVER")
    with pytest.warns(UserWarning, match=r"^The chat has no summary, because the model failed: .*too long"):
        result = user().initiate_chat(
            agent, message="hi", max_turns=1, summary_method="reflection_with_llm", silent=True
        )
    assert (result.summary, len(result.chat_history)) == ("", 2)


def test_failing_function_leaves_the_chat_its_result():
    def fail(*_):
        raise LookupError("no gist")

    warning = r"^The chat has no summary, because its summary_method failed: LookupError\('no gist'\)$"
    with pytest.warns(UserWarning, match=warning):
        result = chat("x", summary_method=fail)
    assert (result.summary, len(result.chat_history)) == ("", 2)


@pytest.mark.parametrize("method", ["first_msg", 3])
def test_method_is_checked_before_the_chat(method):
    complaint = (
        r"^summary_method must be a string chosen from 'reflection_with_llm' or 'last_msg' or a callable, or None\.$"
    )
    with pytest.raises(AssertionError, match=complaint):
        chat("x", summary_method=method)


def test_reflection_needs_a_model():
    complaint = (
        r"^llm client must be set in either the recipient or sender when summary_method is reflection_with_llm\.$"
    )
    with pytest.raises(AssertionError, match=complaint):
        user().initiate_chat(user(), message="hi", summary_method="reflection_with_llm")
