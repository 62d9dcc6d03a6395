"""Agents that run the code of messages."""

import base64
import warnings

import pytest

from cellblock.agentchat import ConversableAgent, UserProxyAgent
from cellblock.coding import (
    CodeBlock,
    CodeExecutor,
    CodeResult,
    IPythonCodeResult,
    LocalCommandLineCodeExecutor,
    MarkdownCodeExtractor,
)


class Recorder(CodeExecutor):
    """Takes down the blocks it is given; those with the word "bad" fail."""

    def __init__(self):
        self.runs = []

    @property
    def code_extractor(self):
        return MarkdownCodeExtractor()

    def execute_code_blocks(self, code_blocks):
        codes = [block.code for block in code_blocks]
        self.runs.append(codes)
        return CodeResult(exit_code=int(any("bad" in code for code in codes)), output="|".join(codes))

    def restart(self):
        pass


def runner(executor, **config):
    return ConversableAgent(
        "runner", llm_config=False, human_input_mode="NEVER", code_execution_config={"executor": executor, **config}
    )


def fenced(*codes):
    return "".join(f"```python\n{code}\n```\n" for code in codes)


def message(content, role="user"):
    return {"content": content, "role": role}


def reply_to(*messages, executor=None, **config):
    """The runner's reply to messages, and what it ran."""
    executor = executor or Recorder()
    return runner(executor, **config).generate_reply(list(messages)), executor.runs


def test_reply_is_autogens(tmp_path, capsys):
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path)
    reply, _ = reply_to(message(fenced("print(1)")), executor=Recorder())
    agent = runner(executor)
    assert agent.code_executor is executor
    assert agent.generate_reply([message(fenced("print(1)", "print(2)"))]) == (
        "exitcode: 0 (execution succeeded)\nCode output: 1\n2\n"
    )
    assert (
        agent.generate_reply([message(fenced("raise SystemExit(3)"))])
        == "exitcode: 3 (execution failed)\nCode output: "
    )
    assert reply == "exitcode: 0 (execution succeeded)\nCode output: print(1)"
    assert capsys.readouterr().out == (
        "\n>>>>>>>> EXECUTING CODE BLOCK (inferred language is python)...\n"
        "\n>>>>>>>> EXECUTING 2 CODE BLOCKS (inferred languages are [python, python])...\n"
        "\n>>>>>>>> EXECUTING CODE BLOCK (inferred language is python)...\n"
    )


def test_only_the_newest_message_with_code_is_run():
    assert reply_to(message(fenced("1")), message(fenced("2", "3")), message(""), message("no code"))[1] == [["2", "3"]]


def test_auto_reaches_back_to_the_agents_own_last_message():
    own, code, talk = message("mine", "assistant"), message(fenced("1")), message("talk")
    assert reply_to(code, talk, talk)[1] == [["1"]]
    assert reply_to(own, code, talk)[1] == [["1"]]
    assert reply_to(code, own, talk)[1] == []
    assert reply_to(message(fenced("1"), "assistant"))[1] == []


@pytest.mark.parametrize(("last_n", "runs"), [(0, [["1"]]), (3, [["1"]]), (9, [["1"]]), (2, []), (1, [])])
def test_number_of_messages(last_n, runs):
    messages = message(fenced("1")), message("mine", "assistant"), message("talk")
    assert reply_to(*messages, last_n_messages=last_n)[1] == runs


@pytest.mark.parametrize("last_n", [-1, "all", 1.5, None])
def test_number_of_messages_is_checked(last_n):
    complaint = r"^last_n_messages must be either a non-negative integer, or the string 'auto'.$"
    with pytest.raises(ValueError, match=complaint):
        reply_to(message("x"), last_n_messages=last_n)


def test_no_code_leaves_the_reply_to_others():
    assert reply_to(message("talk")) == ("", [])


def test_config_given_to_the_reply_function():
    agent = runner(Recorder())
    assert agent.generate_code_execution_reply([message(fenced("1"))], config=False) == (False, None)
    assert agent.generate_code_execution_reply([message(fenced("1"))]) == (
        True,
        "exitcode: 0 (execution succeeded)\nCode output: 1",
    )


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


class WithFiles(CodeResult):
    """The result of an executor of one's own."""

    output_files: list[str]


@pytest.mark.parametrize("kind", [WithFiles, IPythonCodeResult])
def test_images_among_the_files_of_any_result_can_be_shown_to_the_model(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(PIXEL)
    (tmp_path / "b.png").write_text("no image")

    class Drawing(Recorder):
        def execute_code_blocks(self, code_blocks):  # noqa: ARG002
            files = [str(tmp_path / name) for name in ("a.png", "b.png", "none.png")]
            return kind(exit_code=0, output="drawn", output_files=files)

    assert reply_to(message(fenced("1")), executor=Drawing())[0] == (
        "exitcode: 0 (execution succeeded)\nCode output: drawn"
    )
    shown, _ = reply_to(message(fenced("1")), executor=Drawing(), send_images=True)
    assert shown == {
        "content": [
            {"type": "text", "text": "exitcode: 0 (execution succeeded)\nCode output: drawn"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"}},
        ]
    }


def writer(*texts):
    script = iter(texts)
    return ConversableAgent("writer", model=lambda messages: next(script), human_input_mode="NEVER")  # noqa: ARG005


def test_loop_guard_ends_the_chat_with_a_reason(capsys):
    executor = Recorder()
    result = runner(executor).initiate_chat(writer(*[fenced("bad")] * 9), message="go")
    assert executor.runs == [["bad"]] * 3
    assert result.stop_reason == "The same code has failed 3 times in a row."
    assert result.chat_history[-1]["content"] == fenced("bad")
    assert "\n>>>>>>>> STOPPING: The same code has failed 3 times in a row.\n" in capsys.readouterr().out


def test_loop_guard_lets_other_code_pass():
    executor = Recorder()
    blocks = [fenced(code) for code in ("bad", "bad", "good", "bad", "bad", "bad 2", "bad", "bad")]
    runner(executor).initiate_chat(writer(*blocks, "TERMINATE"), message="go", max_turns=9, silent=True)
    assert len(executor.runs) == 8


def test_loop_guard_starts_anew_with_each_chat():
    executor = Recorder()
    agent = runner(executor)
    for _ in range(2):
        agent.initiate_chat(writer(*[fenced("bad")] * 9), message="go", silent=True)
    assert len(executor.runs) == 6


@pytest.mark.parametrize(("max_repeats", "runs"), [(1, 1), (None, 8)])
def test_loop_guard_can_be_set(max_repeats, runs):
    executor = Recorder()
    agent = runner(executor, max_repeats=max_repeats)
    agent.initiate_chat(writer(*[fenced("bad")] * 9), message="go", max_turns=9, silent=True)
    assert len(executor.runs) == runs


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (True, r"^code_execution_config must be a dict or False.$"),
        ("yes", r"^code_execution_config must be a dict or False.$"),
        ({"executor": "none"}, r"^Unknown code executor none$"),
    ],
)
def test_config_is_checked(config, complaint):
    with pytest.raises(ValueError, match=complaint):
        ConversableAgent("a", llm_config=False, code_execution_config=config)


@pytest.mark.parametrize("key", ["use_docker", "work_dir", "timeout"])
def test_executor_excludes_the_older_keys(key):
    with pytest.raises(ValueError, match="is not valid when 'executor' is set") as refusal:
        runner(Recorder(), **{key: 1})
    assert str(refusal.value) == (
        f"'{key}' in code_execution_config is not valid when 'executor' is set. Use the appropriate arg in the chosen "
        "executor instead."
    )


def test_executor_by_name(tmp_path):
    agent = ConversableAgent(
        "a",
        llm_config=False,
        human_input_mode="NEVER",
        code_execution_config={"executor": "commandline-local", "commandline-local": {"work_dir": tmp_path}},
    )
    assert isinstance(agent.code_executor, LocalCommandLineCodeExecutor)
    assert agent.generate_reply([message(fenced("print(1)"))]).endswith("Code output: 1\n")


def test_no_execution():
    agent = ConversableAgent("a", llm_config=False, human_input_mode="NEVER")
    assert agent.code_executor is None
    assert agent.generate_reply([message(fenced("1"))]) == ""


def test_older_form_without_an_executor(tmp_path, capsys):
    agent = ConversableAgent(
        "a",
        llm_config=False,
        human_input_mode="NEVER",
        code_execution_config={"use_docker": False, "work_dir": str(tmp_path)},
    )
    assert agent.generate_reply([message(fenced("print(1)", "raise SystemExit(2)", "print(3)"))]) == (
        "exitcode: 2 (execution failed)\nCode output: \n1\n\n"
    )
    assert capsys.readouterr().out == (
        "\n>>>>>>>> EXECUTING CODE BLOCK 0 (inferred language is python)...\n"
        "\n>>>>>>>> EXECUTING CODE BLOCK 1 (inferred language is python)...\n"
    )


def test_older_form_is_autogens(tmp_path, capsys):
    """It makes the folder and those above, checks no commands, has no executor, and calls what it cannot tell unknown."""
    folder = tmp_path / "a" / "b"
    agent = ConversableAgent(
        "a",
        llm_config=False,
        human_input_mode="NEVER",
        code_execution_config={"use_docker": False, "work_dir": str(folder)},
    )
    assert agent.code_executor is None
    (tmp_path / "old").mkdir()
    removes = message(f"```sh\nrm -rf {tmp_path}/old && echo removed\n```\n\n```\nsome words\n```")
    assert agent.generate_reply([removes]) == (
        "exitcode: 1 (execution failed)\nCode output: \nremoved\n\nunknown language unknown"
    )
    assert folder.is_dir()
    assert not (tmp_path / "old").exists()
    assert capsys.readouterr().out.endswith("EXECUTING CODE BLOCK 1 (inferred language is unknown)...\n")


@pytest.fixture
def no_docker(monkeypatch, tmp_path):
    from cellblock.coding import legacy_execution

    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setattr(legacy_execution, "_CONTAINER_MARK", tmp_path / "dockerenv")


@pytest.mark.usefixtures("no_docker")
def test_older_form_wants_docker():
    with pytest.raises(RuntimeError, match="docker is not running"):
        ConversableAgent("a", llm_config=False, code_execution_config={})
    with pytest.raises(RuntimeError, match="docker is not running"):
        UserProxyAgent("a")
    with pytest.warns(UserWarning, match="None stands for the default"), pytest.raises(RuntimeError):
        ConversableAgent("a", llm_config=False, code_execution_config=None)


def test_config_is_not_changed():
    config = {"executor": Recorder(), "last_n_messages": 2}
    with warnings.catch_warnings():
        ConversableAgent("a", llm_config=False, code_execution_config=config)
    assert set(config) == {"executor", "last_n_messages"}


def test_user_proxy():
    agent = UserProxyAgent("user", code_execution_config=False)
    assert (agent.human_input_mode, agent.system_message, agent.llm_config) == ("ALWAYS", "", False)
    assert agent.description == UserProxyAgent.DEFAULT_USER_PROXY_AGENT_DESCRIPTIONS["ALWAYS"]


def test_blocks_reach_the_executor_as_code_blocks():
    class Typed(Recorder):
        def execute_code_blocks(self, code_blocks):
            assert all(isinstance(block, CodeBlock) for block in code_blocks)
            return super().execute_code_blocks(code_blocks)

    assert reply_to(message(fenced("1")), executor=Typed())[1] == [["1"]]
