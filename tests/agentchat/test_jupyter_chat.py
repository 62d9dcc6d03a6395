"""Chats whose code runs as cells of a live kernel."""

import base64
import os
import pprint
import re
import signal
import threading
import time

import pytest

from cellblock.agentchat import ConversableAgent
from cellblock.agentchat.models.anthropic_api import as_anthropic
from cellblock.coding.jupyter import JupyterCodeExecutor
from model_server import Says

TASK = "Write Python code to calculate the 14th Fibonacci number."
FIRST = Says(
    "The first two Fibonacci numbers are 0 and 1:\n\n0, 1, 1, 2, 3, 5, 8, ...\n\nLet's define a function.",
    prompt_tokens=200,
    completion_tokens=80,
)
SECOND = Says(
    "Here it is:\n\n```python\ndef fibonacci(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n"
    "    return a\n```\n\nNow, let's use it.\n\n```python\nfibonacci(14)\n```",
    prompt_tokens=364,
    completion_tokens=113,
)
OUTCOME = "exitcode: 0 (execution succeeded)\nCode output: \n377"
LINE = "-" * 80


@pytest.fixture
def executor(tmp_path):
    with JupyterCodeExecutor(output_dir=tmp_path) as executor:
        yield executor


def runner(executor, **config):
    return ConversableAgent(
        "code_executor_agent",
        llm_config=False,
        code_execution_config={"executor": executor, **config},
        human_input_mode="NEVER",
    )


def test_fibonacci_chat_prints_and_gives_what_autogens_page_shows(server, executor, capsys):
    server.script = [FIRST, SECOND]
    code_writer = ConversableAgent(
        "code_writer",
        llm_config=server.config(),
        code_execution_config=False,
        max_consecutive_auto_reply=2,
        human_input_mode="NEVER",
    )
    result = runner(executor).initiate_chat(code_writer, message=TASK)
    assert capsys.readouterr().out == (
        f"code_executor_agent (to code_writer):\n\n{TASK}\n\n{LINE}\n"
        f"code_writer (to code_executor_agent):\n\n{FIRST.content}\n\n{LINE}\n"
        f"code_executor_agent (to code_writer):\n\n\n\n{LINE}\n"
        f"code_writer (to code_executor_agent):\n\n{SECOND.content}\n\n{LINE}\n"
        "\n>>>>>>>> EXECUTING 2 CODE BLOCKS (inferred languages are [python, python])...\n"
        f"code_executor_agent (to code_writer):\n\n{OUTCOME}\n\n{LINE}\n"
    )
    pprint.pprint(result)
    usage = {"completion_tokens": 193, "cost": 0.0285, "prompt_tokens": 564, "total_tokens": 757}
    by_model = {"gpt-4-0613": usage, "total_cost": 0.0285}
    printed = eval(capsys.readouterr().out, {"ChatResult": dict})
    assert printed == {
        "chat_id": None,
        "chat_history": [
            {"content": TASK, "name": "code_executor_agent", "role": "assistant"},
            {"content": FIRST.content, "name": "code_writer", "role": "user"},
            {"content": "", "name": "code_executor_agent", "role": "assistant"},
            {"content": SECOND.content, "name": "code_writer", "role": "user"},
            {"content": OUTCOME, "name": "code_executor_agent", "role": "assistant"},
        ],
        "summary": OUTCOME,
        "cost": {"usage_including_cached_inference": by_model, "usage_excluding_cached_inference": by_model},
        "human_input": [],
    }
    assert result.stop_reason == "code_writer has replied 2 times in a row, which is its limit."


PLOT = (
    "```python\nfrom IPython.display import Image, display\nprint('before')\ndisplay(Image(data))\nprint('after')\n```"
)


@pytest.fixture
def picture():
    """A PNG of one pixel."""
    return base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    )


def test_images_can_be_shown_to_the_model(server, executor, picture, capsys):
    server.script = [PLOT, "I see a pixel. TERMINATE"]
    executor.session.run(f"data = {picture!r}")
    code_writer = ConversableAgent("writer", llm_config=server.config(), human_input_mode="NEVER")
    agent = runner(executor, send_images=True)
    result = agent.initiate_chat(code_writer, message="Plot.", max_turns=2)
    parts = server.requests[1]["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text"]
    assert parts[0]["text"].startswith("exitcode: 0 (execution succeeded)\nCode output: before\n")
    assert parts[1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert "<image>" in capsys.readouterr().out
    assert result.summary == "I see a pixel. "
    assert (
        as_anthropic(server.requests[1]["messages"])["messages"][-1]["content"][1]["source"]["media_type"]
        == "image/png"
    )


def test_images_are_paths_unless_asked_for(executor, picture):
    executor.session.run(f"data = {picture!r}")
    reply = runner(executor).generate_reply([{"content": PLOT, "role": "user"}])
    assert re.search(r"Image data saved to /.*\.png", reply)


def test_ctrl_c_interrupts_the_cell_and_the_chat_can_go_on(server, executor, tmp_path):
    """The first run of the block waits for ever; when it is run again it finds the file and ends."""
    code = (
        "import pathlib, time\nx = globals().get('x', 0) + 1\nmark = pathlib.Path('mark')\n"
        "while not mark.exists():\n    pathlib.Path('begun').touch()\n    time.sleep(0.01)\nprint(x)"
    )
    server.script = [f"```python\n{code}\n```", "TERMINATE"]
    code_writer = ConversableAgent("writer", llm_config=server.config(), human_input_mode="NEVER")
    agent = runner(executor)
    begun = tmp_path / "begun"
    executor.session.run(f"import os; os.chdir({str(tmp_path)!r})")

    def press_ctrl_c():
        while not begun.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press_ctrl_c)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        agent.initiate_chat(code_writer, message="Wait.", silent=True)
    thread.join()
    assert [message["content"] for message in agent.chat_messages[code_writer]] == ["Wait.", f"```python\n{code}\n```"]
    (tmp_path / "mark").touch()
    result = agent.resume_chat(code_writer, silent=True)
    assert [message["content"] for message in result.chat_history][2:] == [
        "exitcode: 0 (execution succeeded)\nCode output: 2\n",  # the variable of the first run is still there
        "TERMINATE",
    ]


def test_failing_block_stops_those_after_it(executor):
    reply = runner(executor).generate_reply(
        [{"content": "```python\n1/0\n```\n```python\nprint(2)\n```", "role": "user"}]
    )
    assert reply.startswith("exitcode: 1 (execution failed)\nCode output: ")
    assert "ZeroDivisionError: division by zero" in reply
