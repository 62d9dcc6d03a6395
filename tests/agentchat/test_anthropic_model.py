"""Models of Anthropic's API, asked over HTTP."""

import json
import os
from dataclasses import replace

import anthropic
import pytest

from cellblock.agentchat import ConversableAgent
from cellblock.agentchat.models.anthropic_api import as_anthropic
from cellblock.errors import ConfigError, RemoteProtocolError
from model_server import Says, Sends


def config(server):
    entry = {
        "model": "claude-any",
        "api_type": "anthropic",
        "api_key": "key",
        "base_url": server.url.removesuffix("/v1"),
        "temperature": 0.5,
    }
    return {"config_list": [entry], "cache_seed": None}


def writer(server):
    return ConversableAgent("writer", system_message="Be brief.", llm_config=config(server), human_input_mode="NEVER")


def test_request_reply_and_cost(server):
    server.script = [Says("Hello!", model="claude-sonnet-4-5", prompt_tokens=1000, completion_tokens=1000)]
    agent = writer(server)
    assert agent.generate_reply([{"content": "hello?", "role": "user"}]) == "Hello!"
    assert server.paths == ["/v1/messages"]
    sent = server.headers[0]
    assert sent.get("authorization") == "Bearer key" or sent.get("x-api-key") == "key"  # newer and older versions
    assert server.requests == [
        {
            "model": "claude-any",
            "max_tokens": 8192,
            "temperature": 0.5,
            "system": "Be brief.",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hello?"}]}],
        }
    ]
    assert agent.get_total_usage()["total_cost"] == pytest.approx(0.018)


def test_failures(server):
    server.script = [Sends(b'{"type": "error", "error": {"type": "x", "message": "no"}}', 400)]
    with pytest.raises(anthropic.BadRequestError):
        writer(server).generate_reply([{"content": "hello?", "role": "user"}])
    server.script = [Sends(b"{")] * 3
    with pytest.raises(RemoteProtocolError, match="gave no usable answer in 3 attempts: it is no valid JSON"):
        writer(server).generate_reply([{"content": "hello?", "role": "user"}])
    server.script = [Says(""), "Hello!"]
    assert writer(server).generate_reply([{"content": "hello?", "role": "user"}]) == "Hello!"


def test_no_key_is_said_in_a_sentence(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = {"config_list": [{"model": "claude-any", "api_type": "anthropic"}], "cache_seed": None}
    agent = ConversableAgent("writer", llm_config=settings, human_input_mode="NEVER")
    with pytest.raises(ConfigError, match=r"^There is no key for Anthropic's API\. Set ANTHROPIC_API_KEY, or give"):
        agent.generate_reply([{"content": "hello?", "role": "user"}])


def events(*pieces, end=True):
    """A stream of that API."""
    message = {"id": "1", "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    start = {"type": "message_start", "message": message | {"usage": {"input_tokens": 3, "output_tokens": 1}}}
    texts = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in pieces
    ]
    last = [{"type": "message_delta", "delta": {}, "usage": {"output_tokens": 2}}, {"type": "message_stop"}]
    sent = [start, *texts, *(last if end else [])]
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in sent)
    return Sends(body.encode(), content_type="text/event-stream")


def test_stream(server, capsys):
    server.script = [events("Hel", "lo!")]
    agent = ConversableAgent("writer", llm_config=config(server) | {"stream": True}, human_input_mode="NEVER")
    assert agent.generate_reply([{"content": "hello?", "role": "user"}]) == "Hello!"
    assert capsys.readouterr().out.startswith("Hello!\n")
    assert server.requests[0]["stream"] is True
    assert agent.get_total_usage()["claude-x"]["total_tokens"] == 5


UNUSABLE = {
    "null": (Sends(b"null"), "its message has no text"),
    "error": (Sends(b'{"type": "error", "error": "overloaded"}'), "it is an error: overloaded"),
    "content of another kind": (Sends(b'{"content": [{"type": "text", "text": null}]}'), "its message has no text"),
    "stream that ends early": (events("Hel", end=False), "its stream ended before the answer did"),
    "stream that breaks off": (replace(events("Hel", end=False), cut=True), "its stream broke off"),
    "stream without text": (events(), "its message has no text"),
    "stream of other things": (
        Sends(b"event: message_start\ndata: null\n\n", content_type="text/event-stream"),
        "its stream ended before the answer did",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_answer_is_asked_for_again_and_then_said(server, case):
    step, problem = UNUSABLE[case]
    agent = ConversableAgent(
        "writer", llm_config=config(server) | {"stream": "stream" in case}, human_input_mode="NEVER"
    )
    server.script = [step] * 3
    with pytest.raises(RemoteProtocolError, match=f"gave no usable answer in 3 attempts: {problem}"):
        agent.generate_reply([{"content": "hello?", "role": "user"}])
    assert len(server.requests) == 3


def test_messages_take_turns_and_the_user_begins():
    messages = [
        {"role": "system", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "two"},
        {"role": "user", "content": ""},
    ]
    assert as_anthropic(messages) == {
        "system": "a\n\nb",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "(nothing)"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "one"}]},
            {"role": "user", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": "(nothing)"}]},
        ],
    }


def test_system_message_after_others_is_the_users(server):
    """A summary is asked for by one, and the API takes no request that ends with what it would answer itself."""
    server.script = ["An answer.", "The gist."]
    user = ConversableAgent("user", llm_config=False, human_input_mode="NEVER")
    result = user.initiate_chat(
        writer(server),
        message="hi",
        max_turns=1,
        summary_method="reflection_with_llm",
        summary_args={"summary_prompt": "In short?"},
        silent=True,
    )
    assert result.summary == "The gist."
    assert "system" not in server.requests[1]
    assert [(turn["role"], turn["content"][0]["text"]) for turn in server.requests[1]["messages"]] == [
        ("user", "hi"),
        ("assistant", "An answer."),
        ("user", "In short?"),
    ]


def test_images():
    def image(url):
        return {"type": "image_url", "image_url": {"url": url}}

    (message,) = as_anthropic(
        [{"role": "user", "content": [image("data:image/png;base64,aGk="), image("https://x/y.png")]}]
    )["messages"]
    assert message["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
    ]
