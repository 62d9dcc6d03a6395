"""What the drop-in has beside cellblock's own names: AutoGen's older functions."""

import json

import pytest
from autogen import OpenAIWrapper
from autogen.code_utils import CODE_BLOCK_PATTERN, content_str, execute_code, extract_code, infer_lang
from autogen.coding.utils import _get_file_name_from_content
from autogen.oai.openai_utils import (
    config_list_from_dotenv,
    config_list_from_json,
    config_list_from_models,
    filter_config,
    get_config_list,
)

from model_server import ModelServer

LIST = [{"model": "a", "tags": ["x", "y"]}, {"model": "b"}, {"model": "c", "tags": ["z"], "api_type": None}]


@pytest.mark.parametrize(
    ("wanted", "models"),
    [
        ({"model": ["a", "b"]}, "ab"),
        ({"tags": ["x", None]}, "a"),
        ({"model": ["a"], "tags": ["y"]}, "a"),
        ({"api_type": [None]}, ""),
        ({"model": []}, ""),
        ({}, "abc"),
        (None, "abc"),
    ],
)
def test_filter_config(wanted, models):
    assert "".join(entry["model"] for entry in filter_config(LIST, wanted)) == models
    if wanted and len(wanted) == 1:
        rest = "".join(entry["model"] for entry in filter_config(LIST, wanted, exclude=True))
        assert sorted(models + rest) == ["a", "b", "c"]


def test_get_config_list():
    assert get_config_list(["k1", "k2"], ["u1", "u2"], "azure", "v") == [
        {"api_key": "k1", "base_url": "u1", "api_type": "azure", "api_version": "v"},
        {"api_key": "k2", "base_url": "u2", "api_type": "azure", "api_version": "v"},
    ]
    assert get_config_list(["k1", ""]) == [{"api_key": "k1"}]
    with pytest.raises(AssertionError, match=r"^The length of api_keys must match the length of base_urls$"):
        get_config_list(["k1"], ["u1", "u2"])


def test_config_list_from_json(tmp_path, monkeypatch):
    (tmp_path / "CONFIG").write_text(json.dumps(LIST))
    assert config_list_from_json("CONFIG", str(tmp_path)) == LIST
    monkeypatch.setenv("CONFIG", str(tmp_path / "CONFIG"))
    assert config_list_from_json("CONFIG", filter_dict={"model": ["b"]}) == [{"model": "b"}]
    monkeypatch.setenv("CONFIG", '[{"model": "q"}]')
    assert config_list_from_json("CONFIG") == [{"model": "q"}]
    monkeypatch.setenv("CONFIG", "")
    assert config_list_from_json("CONFIG", str(tmp_path)) == LIST
    with pytest.raises(FileNotFoundError):
        config_list_from_json("NONE", str(tmp_path))


def test_config_list_from_models(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert config_list_from_models(str(tmp_path), model_list=["m"]) == []
    (tmp_path / "key_openai.txt").write_text("from the file\n")
    assert config_list_from_models(str(tmp_path)) == [{"api_key": "from the file"}]
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    assert config_list_from_models(model_list=["m", "n"]) == [
        {"api_key": "key", "model": "m"},
        {"api_key": "key", "model": "n"},
    ]


def test_config_list_from_dotenv(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    assert config_list_from_dotenv() == []
    (tmp_path / ".env").write_text(
        "# keys\nexport ONE=first # the first\nTWO='second'\nOPENAI_API_KEY=third\nnothing\n"
    )
    keys = {"m": "ONE", "n": {"api_key_env_var": "TWO", "base_url": "u", "api_type": None}, "o": "MISSING"}
    assert config_list_from_dotenv(model_api_key_map=keys) == [
        {"api_key": "first", "model": "m"},
        {"api_key": "second", "model": "n", "base_url": "u"},
        {"api_key": "third", "model": "gpt-4"},
        {"api_key": "third", "model": "gpt-3.5-turbo"},
    ]
    assert [entry["model"] for entry in config_list_from_dotenv(model_api_key_map={"gpt-3.5-turbo": "ONE"})] == [
        "gpt-3.5-turbo",
        "gpt-4",
    ]
    assert [entry["model"] for entry in config_list_from_dotenv()] == ["gpt-4", "gpt-3.5-turbo"]
    with pytest.raises(FileNotFoundError):
        config_list_from_dotenv("other.env")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no code", [("unknown", "no code")]),
        ("```python\nx\n```\n```\nx = 1\n```", [("python", "x"), ("", "x = 1")]),
        ("    ```sh\n    q\n    ```", [("sh", "q")]),
        ([{"type": "text", "text": "```sh\nq\n```"}], [("sh", "q")]),
    ],
)
def test_extract_code(text, code):
    assert extract_code(text) == code


def test_extract_code_in_other_ways():
    assert extract_code("use `x = 1` here", detect_single_line_code=True) == [("", "x = 1")]
    assert extract_code("`a`\n```py\nb `c`\n```\nand `d`", detect_single_line_code=True) == [
        ("", "a"),
        ("python", "b `c`"),
        ("", "d"),
    ]
    assert extract_code("no code", detect_single_line_code=True) == []
    assert extract_code("<c py>1</c>", r"<c (\w*)>(.*?)</c>") == [("py", "1")]
    assert CODE_BLOCK_PATTERN.startswith("```")


def test_small_functions(tmp_path):
    assert (infer_lang("print(1)"), infer_lang("using System;")) == ("python", "unknown")
    assert content_str([{"type": "text", "text": "a"}, {"type": "image_url"}]) == "a<image>"
    assert _get_file_name_from_content("# filename: a.py\n", tmp_path) == "a.py"


def test_execute_code(tmp_path):
    assert execute_code("print(1)", work_dir=tmp_path, use_docker=False) == (0, "1\n", None)
    (tmp_path / "there.py").write_text("print(2)")
    assert execute_code(filename="there.py", work_dir=tmp_path, use_docker=False) == (0, "2\n", None)
    assert (tmp_path / "there.py").read_text() == "print(2)"
    with pytest.raises(AssertionError, match=r"^Either code or filename must be provided\.$"):
        execute_code()


def test_wrapper(capsys):
    with ModelServer(["one", "two", "three"]) as server:
        client = OpenAIWrapper(**server.config())
        assert client.total_usage_summary is None
        reply = client.create(messages=[{"role": "user", "content": "hi"}])
        assert client.extract_text_or_completion_object(reply) == ["one"]
        assert (reply.model, reply.raw.choices[0].message.content) == ("gpt-4-0613", "one")
        client.create(messages=[{"role": "user", "content": "hi"}], temperature=1)
        assert server.requests[1]["temperature"] == 1
    assert client.actual_usage_summary == client.total_usage_summary
    assert client.total_usage_summary["gpt-4-0613"]["total_tokens"] == 30
    client.print_usage_summary("total")
    assert "total_tokens: 30" in capsys.readouterr().out
    client.clear_usage_summary()
    assert client.total_usage_summary is None


def test_wrapper_may_hear_of_the_model_when_it_is_asked(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    hello = [{"role": "user", "content": "hello"}]
    with ModelServer(["one", "two", "three"]) as server:
        connection = {"api_key": "key", "base_url": server.url, "cache_seed": None}
        for wrapper in (OpenAIWrapper(**connection), OpenAIWrapper(config_list=[connection])):
            wrapper.create(messages=hello, model="gpt-4")
        with pytest.raises(ValueError, match="specify a non-empty 'model'"):
            wrapper.create(messages=hello)
    assert [request["model"] for request in server.requests] == ["gpt-4", "gpt-4"]
    with pytest.raises(Exception, match="api_key"):
        OpenAIWrapper(base_url=server.url)
