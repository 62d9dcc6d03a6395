"""Models of OpenAI's API, asked over HTTP, and what happens when the server fails."""

import json
import time

import anyio
import openai
import pytest

from cellblock.agentchat import ConversableAgent
from cellblock.errors import RemoteProtocolError
from model_server import Hangs, ModelServer, Says, Sends

QUESTION = [{"content": "hello?", "role": "user", "name": "ann"}]


def writer(config, **options):
    return ConversableAgent(
        "writer", system_message="Be brief.", llm_config=config, human_input_mode="NEVER", **options
    )


def test_request_and_reply(server):
    server.script = ["Hello!"]
    assert writer(server.config(temperature=0)).generate_reply(QUESTION) == "Hello!"
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["authorization"] == "Bearer key"
    assert server.requests == [
        {
            "model": "gpt-4",
            "stream": False,
            "temperature": 0,
            "messages": [
                {"content": "Be brief.", "role": "system"},
                {"content": "hello?", "role": "user", "name": "ann"},
            ],
        }
    ]


def test_keys_that_are_not_the_apis_are_not_sent(server):
    server.script = ["Hello!"]
    config = server.config(
        price=[0.1, 0.2],
        tags=["mine"],
        timeout=7,
        max_retries=0,
        agent="me",
        allow_format_str_template=True,
        api_version="1",
        cache=None,
        context={},
        filter_func=None,
        api_rate_limit=None,
    )
    message = {"content": "hello?", "role": "user", "context": {"a": 1}}
    writer(config).generate_reply([message])
    assert set(server.requests[0]) == {"model", "messages", "stream"}
    assert server.requests[0]["messages"][1] == {"content": "hello?", "role": "user"}


def test_what_only_the_server_knows_is_sent_as_it_is(server):
    server.script = ["Hello!"]
    config = server.config(top_k=3, extra_body={"min_p": 0.1}, extra_headers={"x-mine": "1"})
    writer(config).generate_reply(QUESTION)
    assert (server.requests[0]["top_k"], server.requests[0]["min_p"], server.headers[0]["x-mine"]) == (3, 0.1, "1")


def test_key_of_the_environment(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "from outside")
    server.script = ["Hello!"]
    writer({"model": "gpt-4", "base_url": server.url, "cache_seed": None}).generate_reply(QUESTION)
    assert server.headers[0]["authorization"] == "Bearer from outside"


def test_no_key_is_said_by_openai_when_the_agent_is_made():
    with pytest.raises(openai.OpenAIError, match="OPENAI_API_KEY"):
        writer({"model": "gpt-4"})


def test_azure(server):
    server.script = ["Hello!"]
    azure = {"model": "my-gpt", "api_type": "azure", "api_key": "key", "api_version": "2024-06-01"}
    azure["base_url"] = server.url.removesuffix("/v1")
    assert writer({"config_list": [azure], "cache_seed": None}).generate_reply(QUESTION) == "Hello!"
    assert server.paths == ["/openai/deployments/my-gpt/chat/completions?api-version=2024-06-01"]
    assert server.headers[0]["api-key"] == "key"


@pytest.mark.parametrize("nothing", [None, []])
def test_config_list_without_entries_leaves_the_settings_beside_it(server, nothing):
    server.script = ["Hello!"]
    config = {"config_list": nothing, "model": "gpt-4", "api_key": "key", "base_url": server.url, "cache_seed": None}
    assert writer(config).generate_reply(QUESTION) == "Hello!"


@pytest.mark.parametrize("own", [{}, {"azure_deployment": "gpt-4.1"}])
@pytest.mark.parametrize("answers_as", ["gpt-41", "gpt-4.1-2025-04-14"])
def test_names_of_azures_deployments_have_no_dots(server, own, answers_as):
    server.script = [Says("Hello!", model=answers_as), Sends(b'{"error": {"message": "no"}}', 400)]
    azure = {"model": "gpt-4.1", "api_type": "azure", "api_key": "key", "api_version": "2024-06-01", **own}
    azure["base_url"] = server.url.removesuffix("/v1")
    agent = writer({"config_list": [azure], "cache_seed": None})
    agent.generate_reply(QUESTION)
    assert server.paths == ["/openai/deployments/gpt-41/chat/completions?api-version=2024-06-01"]
    assert server.requests[0]["model"] == "gpt-41"
    usage = agent.get_total_usage()
    assert usage["total_cost"] > 0
    assert usage.keys() == {"total_cost", answers_as.replace("gpt-41", "gpt-4.1")}
    with pytest.raises(openai.BadRequestError) as caught:
        agent.generate_reply(QUESTION)
    assert caught.value.__notes__ == [f"The model gpt-4.1 at {azure['base_url']} was asked."]


@pytest.mark.anyio
async def test_awaited(server):
    server.script = ["Hello!", "And again."]
    agent = writer(server.config())
    assert await agent.a_generate_reply(QUESTION) == "Hello!"
    assert agent.generate_reply(QUESTION) == "And again."  # blocking, while a loop runs in this thread


def test_stream(server, capsys):
    server.script = ["one two three"]
    agent = writer(server.config(stream=True))
    assert agent.generate_reply(QUESTION) == "one two three"
    assert capsys.readouterr().out == "one two three\n"
    assert server.requests[0]["stream_options"] == {"include_usage": True}
    assert agent.get_total_usage()["gpt-4-0613"]["total_tokens"] == 15


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_failure_is_tried_again(server, status):
    server.script = [Sends(b'{"error": {"message": "not now"}}', status)] * 2 + ["Hello!"]
    assert writer(server.config()).generate_reply(QUESTION) == "Hello!"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, openai.RateLimitError), (500, openai.InternalServerError), (401, openai.AuthenticationError)],
)
def test_lasting_failure_is_openais_error_and_names_the_model(server, status, kind):
    server.script = [Sends(b'{"error": {"message": "not now"}}', status)] * 3
    with pytest.raises(kind, match="not now") as failure:
        writer(server.config()).generate_reply(QUESTION)
    assert failure.value.__notes__ == [f"The model gpt-4 at {server.url} was asked."]
    assert len(server.requests) == (1 if status == 401 else 3)


EVENT = json.dumps(Says("half a").chunks()[0])

UNUSABLE = {
    "malformed JSON": (Sends(b'{"id": "x", "choices": ['), "it is no valid JSON"),
    "no JSON": (Sends(b"<html>", content_type="text/html"), "it is text, not JSON"),
    "no choices": (Sends(b'{"id": "x", "object": "chat.completion", "choices": []}'), "it has no choices"),
    "no text": (Says(None), "its message has no text"),
    "null": (Sends(b"null"), "it has no choices"),
    "array": (Sends(b"[]"), "it has no choices"),
    "choices of another kind": (Sends(b'{"choices": "none"}'), "it has no choices"),
    "empty choice": (Sends(b'{"choices": [{}]}'), "its message has no text"),
    "message of another kind": (Sends(b'{"choices": [{"message": "hey"}]}'), "its message has no text"),
    "text of another kind": (Sends(b'{"choices": [{"message": {"content": 3}}]}'), "its message has no text"),
    "no UTF-8": (Sends(b'{"choices": "\xff"}'), "it is no valid JSON"),
    "error as success": (Sends(b'{"error": {"message": "overloaded"}}'), "it is an error: {'message': 'overloaded'}"),
    "stream cut": (Sends(f"data: {EVENT}\n\n".encode(), 200, "text/event-stream", cut=True), "its stream broke off"),
    "stream ends early": (
        Sends(f"data: {EVENT}\n\ndata: [DONE]\n\n".encode(), 200, "text/event-stream"),
        "its stream ended before the answer did",
    ),
    "stream of other things": (
        Sends(b'data: null\n\ndata: [1]\n\ndata: {"choices": [{"delta": null}]}\n\n', content_type="text/event-stream"),
        "its stream ended before the answer did",
    ),
    "stream of no JSON": (Sends(b"data: {\n\n", 200, "text/event-stream"), "it is no valid JSON"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_answer_is_asked_for_again(server, case):
    step, _ = UNUSABLE[case]
    server.script = [step, "Hello!"]
    assert writer(server.config(stream="stream" in case)).generate_reply(QUESTION) == "Hello!"


@pytest.mark.parametrize("case", UNUSABLE)
def test_answer_that_stays_unusable_is_said_in_a_sentence(server, case):
    step, problem = UNUSABLE[case]
    server.script = [step] * 3
    with pytest.raises(RemoteProtocolError) as failure:
        writer(server.config(stream="stream" in case)).generate_reply(QUESTION)
    text = str(failure.value)
    assert text.startswith(f"The model gpt-4 at {server.url} gave no usable answer in 3 attempts: {problem}")
    assert text.endswith(". Ask again, or check the server.")
    assert len(server.requests) == 3


def test_answer_whose_body_is_cut_is_tried_again(server):
    server.script = [Sends(b'{"id"', cut=True), "Hello!"]
    assert writer(server.config()).generate_reply(QUESTION) == "Hello!"


@pytest.mark.parametrize("usage", [None, "many", {"prompt_tokens": None, "completion_tokens": "two"}])
def test_answer_without_a_name_or_a_count_is_an_answer(server, usage):
    message = {"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo!"}]}
    answer = {"model": None, "choices": [{"message": message}], "usage": usage}
    server.script = [Sends(json.dumps(answer).encode())]
    agent = writer(server.config())
    assert agent.generate_reply(QUESTION) == "Hello!"
    assert agent.get_total_usage()["gpt-4"] == {
        "cost": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
    }


@pytest.mark.parametrize("stream", [False, True])
def test_server_that_never_answers(server, stream):
    server.script = [Hangs()]
    started = time.monotonic()
    with pytest.raises(TimeoutError) as failure:
        writer(server.config(timeout=0.5, stream=stream)).generate_reply(QUESTION)
    assert time.monotonic() - started < 3
    assert str(failure.value) == (
        f"The model gpt-4 at {server.url} gave no answer within 0.5 s. Ask again, or set a longer timeout."
    )


@pytest.mark.parametrize(
    ("url", "cause"),
    [("http://127.0.0.1:9/v1", "All connection attempts failed"), ("nowhere", "Request URL is missing")],
)
def test_nobody_listens(url, cause):
    config = {"model": "gpt-4", "api_key": "key", "base_url": url, "max_retries": 0, "cache_seed": None}
    with pytest.raises(openai.APIConnectionError) as failure:
        writer(config).generate_reply(QUESTION)
    (note,) = failure.value.__notes__
    assert note.startswith(f"The model gpt-4 at {url} was asked: {cause}")


def test_config_list_is_tried_in_order(server, caplog):
    with ModelServer([Sends(b"{}", 500)]) as broken:
        entries = [
            {"model": "first", "api_key": "1", "base_url": broken.url, "max_retries": 0},
            {"model": "second", "api_key": "2", "base_url": server.url},
        ]
        server.script = ["Hello!"]
        assert writer({"config_list": entries, "cache_seed": None}).generate_reply(QUESTION) == "Hello!"
        assert [len(broken.requests), len(server.requests)] == [1, 1]
    assert server.requests[0]["model"] == "second"
    assert f"The model first at {broken.url} failed: " in caplog.text
    assert "The next one in config_list is asked." in caplog.text


def test_last_entrys_error_is_raised(server):
    server.script = [Sends(b'{"error": {"message": "first"}}', 400), Sends(b'{"error": {"message": "second"}}', 400)]
    entries = [{"model": name, "api_key": "k", "base_url": server.url} for name in ("a", "b")]
    with pytest.raises(openai.BadRequestError, match="second"):
        writer({"config_list": entries, "cache_seed": None}).generate_reply(QUESTION)


def test_settings_of_the_list_hold_for_each_entry(server):
    server.script = ["Hello!"]
    config = {
        "config_list": [{"model": "a"}],
        "api_key": "k",
        "base_url": server.url,
        "temperature": 1,
        "cache_seed": None,
    }
    writer(config).generate_reply(QUESTION)
    assert (server.requests[0]["model"], server.requests[0]["temperature"]) == ("a", 1)


FAULTS = {
    "refusal": ([Sends(b'{"error": {"message": "broken"}}', 400)], openai.BadRequestError),
    "429": ([Sends(b"{}", 429)] * 3, openai.RateLimitError),
    "500": ([Sends(b"{}", 500)] * 3, openai.InternalServerError),
    "malformed JSON": ([Sends(b"{")] * 3, RemoteProtocolError),
    "empty choice": ([Sends(b'{"choices": [{}]}')] * 3, RemoteProtocolError),
    "cut stream": ([UNUSABLE["stream cut"][0]] * 3, RemoteProtocolError),
    "no answer": ([Hangs()], TimeoutError),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_chat_survives_a_failing_server_and_goes_on(server, fault):
    """The messages so far are kept, and resume_chat() asks the model again."""
    steps, error = FAULTS[fault]
    server.script = ["First.", *steps]
    agent = writer(server.config(timeout=2, stream=fault == "cut stream"))
    user = ConversableAgent("user", llm_config=False, human_input_mode="NEVER", default_auto_reply="Go on.")
    with pytest.raises(error):
        user.initiate_chat(agent, message="Begin.", silent=True)
    contents = ["Begin.", "First.", "Go on."]
    assert [message["content"] for message in user.chat_messages[agent]] == contents
    server.script = ["TERMINATE"]
    result = user.resume_chat(agent, silent=True)
    assert [message["content"] for message in result.chat_history] == [*contents, "TERMINATE"]
    assert [message["content"] for message in server.requests[-1]["messages"]] == ["Be brief.", *contents]


@pytest.mark.anyio
async def test_cancelling_stops_asking(server):
    server.script = [Hangs()]
    with anyio.move_on_after(0.3) as scope:
        await writer(server.config()).a_generate_reply(QUESTION)
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config_list": []},
        {"config_list": [{}]},
        {"config_list": [{"model": ""}]},
        {"config_list": [{"model": "a"}, {}]},
    ],
)
def test_model_must_be_named(config):
    complaint = (
        r"^When using OpenAI or Azure OpenAI endpoints, specify a non-empty 'model' either in 'llm_config' or in each "
        r"config of 'config_list'\.$"
    )
    with pytest.raises(ValueError, match=complaint):
        writer(config)


@pytest.mark.parametrize("config", [True, "gpt-4", [{"model": "gpt-4"}], 0])
def test_config_is_a_dict(config):
    with pytest.raises(AssertionError, match=r"^llm_config must be a dict or False or None\.$"):
        writer(config)


@pytest.mark.parametrize("config", [False, None])
def test_no_model(config):
    agent = writer(config)
    assert (agent.llm_config, agent.model, agent.get_total_usage()) == (False, None, None)
    assert agent.generate_oai_reply(QUESTION) == (False, None)


def test_config_is_copied(server):
    config = server.config()
    agent = writer(config)
    config["config_list"][0]["model"] = "changed"
    assert agent.llm_config["config_list"][0]["model"] == "gpt-4"


def test_config_that_cannot_be_copied():
    with pytest.raises(TypeError, match=r"^A value in llm_config cannot be copied .* __deepcopy__ method"):
        writer({"model": "gpt-4", "http_client": time})


def test_unknown_kind_of_api():
    with pytest.raises(ValueError, match=r'^api_type is "openai", "azure" or "anthropic", not \'carrier pigeon\'\.$'):
        writer({"model": "m", "api_type": "carrier pigeon"})


@pytest.mark.parametrize("key", ["tools", "functions"])
def test_tools_are_refused(key):
    with pytest.raises(ValueError, match=f"^'{key}' in llm_config: function and tool calls are not supported"):
        writer({"model": "m", "api_key": "k", key: [{"name": "f"}]})


@pytest.mark.parametrize(
    ("key", "value"), [("api_rate_limit", 1.0), ("filter_func", print), ("context", {"a": 1}), ("cache", "mine")]
)
def test_what_would_change_the_answers_and_is_not_there_is_refused(key, value):
    with pytest.raises(ValueError, match=rf"^'{key}' in llm_config: .*\.$"):
        writer({"model": "m", "api_key": "k", key: value})


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_surrogate_pair_in_an_answer_does_not_break_later_requests(server, stream, capsys):
    server.script = ["a \ud83d\ude00 \ud83d z", "Second."]
    agent = writer(server.config(stream=stream))
    result = ConversableAgent("ann", llm_config=False, human_input_mode="NEVER").initiate_chat(
        agent, message="hi", max_turns=2
    )
    assert [message["content"] for message in result.chat_history] == ["hi", "a \U0001f600 \ufffd z", "", "Second."]
    assert server.requests[1]["messages"][2]["content"] == "a \U0001f600 \ufffd z"
    capsys.readouterr().out.encode()
