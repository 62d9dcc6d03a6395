"""Programs in the form of AutoGen's documentation pages on code execution, every API call of them, on the drop-in.

They run as their readers run them: as a program (or, for the page that is a notebook, as cells of a kernel) in a directory of
its own, with the model's key in the environment. The model is a server on this machine that answers by a script.
"""

import json
import os
import re
import subprocess
import sys

import pytest

from cellblock.blocking import Session
from docker_engine import BASE_IMAGE, BUNDLED, bundled_image, engine
from model_server import ModelServer, Says

__all__ = ["bundled_image", "engine"]

LINE = "-" * 80


@pytest.fixture
def server():
    with ModelServer() as server:
        yield server


@pytest.fixture
def run(server, tmp_path):
    """Runs a program and gives what it printed."""

    def run_program(*blocks):
        done = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", "-c", "\n".join(blocks)],
            cwd=tmp_path,
            env=environment(server),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_program


def environment(server):
    plain = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "NO_COLOR"}}
    return plain | {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": server.url}


def turn(sender, recipient, text):
    return f"{sender} (to {recipient}):\n\n{text}\n\n{LINE}\n"


WRITER = """
import os
from autogen import ConversableAgent

code_writer_agent = ConversableAgent(
    "code_writer",
    system_message="You write code.",
    llm_config={"config_list": [{"model": "gpt-4", "api_key": os.environ["OPENAI_API_KEY"]}]},
    code_execution_config=False,
    max_consecutive_auto_reply=2,
    human_input_mode="NEVER",
)
"""

RUNNER = """
code_executor_agent = ConversableAgent(
    name="code_executor_agent",
    llm_config=False,
    code_execution_config={"executor": executor},
    human_input_mode="NEVER",
)
"""

CHAT = """
import pprint

chat_result = code_executor_agent.initiate_chat(
    code_writer_agent, message="Write Python code to calculate the 14th Fibonacci number."
)
pprint.pprint(chat_result)
"""

HELLO = """
print(
    executor.execute_code_blocks(
        code_blocks=[
            CodeBlock(language="python", code="print('Hello, World!')"),
        ]
    )
)
"""

TALK = Says("A function will do.", prompt_tokens=100, completion_tokens=10)
CODE = Says(
    "```python\ndef fibonacci(n):\n    ...\n```\n\nand\n\n```python\nprint(377)\n```",
    prompt_tokens=110,
    completion_tokens=20,
)


def test_command_line_page_here(run, server, tmp_path):
    printed = run(
        """
from pathlib import Path
from autogen.coding import CodeBlock, LocalCommandLineCodeExecutor

work_dir = Path("coding")
work_dir.mkdir(exist_ok=True)
executor = LocalCommandLineCodeExecutor(work_dir=work_dir)
""",
        HELLO,
    )
    file = tmp_path / "coding" / "tmp_code_07da107bb575cc4e02b0e1d6d99cc204.py"
    assert printed == rf"exit_code=0 output='Hello, World!\n' code_file='{file}'" + "\n"
    assert server.requests == []


def test_command_line_page_virtual_environment(run, tmp_path):
    printed = run("""
from autogen.code_utils import create_virtual_env
from autogen.coding import CodeBlock, LocalCommandLineCodeExecutor

venv_context = create_virtual_env(".venv")
executor = LocalCommandLineCodeExecutor(virtual_env_context=venv_context)
print(
    executor.execute_code_blocks(code_blocks=[CodeBlock(language="python", code="import sys; print(sys.executable)")])
)
""")
    assert f"output='{tmp_path / '.venv' / 'bin'}/python" in printed


@pytest.mark.docker
def test_command_line_page_docker(run, server):
    """With an image that needs no registry; the page's is python:3-slim."""
    server.script = [TALK, CODE]
    printed = run(
        f"""
from pathlib import Path
from autogen.coding import CodeBlock, DockerCommandLineCodeExecutor

work_dir = Path("coding")
work_dir.mkdir(exist_ok=True)

with DockerCommandLineCodeExecutor(work_dir=work_dir, image={BASE_IMAGE!r}) as executor:
    print(
        executor.execute_code_blocks(
            code_blocks=[
                CodeBlock(language="python", code="print('Hello, World!')"),
            ]
        )
    )

executor = DockerCommandLineCodeExecutor(work_dir=work_dir, image={BASE_IMAGE!r})
""",
        WRITER,
        RUNNER,
        CHAT,
        "executor.stop()",
    )
    file = "coding/tmp_code_07da107bb575cc4e02b0e1d6d99cc204.py"
    assert printed.startswith(rf"exit_code=0 output='Hello, World!\n' code_file='{file}'" + "\n")
    outcome = "exitcode: 0 (execution succeeded)\nCode output: 377\n"
    assert turn("code_executor_agent", "code_writer", outcome) in printed


LOCAL_SERVER = """
from autogen.coding import CodeBlock
from autogen.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer

with LocalJupyterServer() as server:
    executor = JupyterCodeExecutor(server)
    print(
        executor.execute_code_blocks(
            code_blocks=[
                CodeBlock(language="python", code="print('Hello, World!')"),
            ]
        )
    )
"""


def test_jupyter_page_local_server(run):
    assert run(LOCAL_SERVER) == "exit_code=0 output='Hello, World!\\n' output_files=[]\n"


def test_jupyter_page_remote_server(run):
    """The page's connection information, of a server that is there."""
    printed = run(
        """
from autogen.coding import CodeBlock
from autogen.coding.jupyter import JupyterCodeExecutor, JupyterConnectionInfo, LocalJupyterServer

server = LocalJupyterServer(token="mytoken")
port = server.connection_info.port
executor = JupyterCodeExecutor(
    jupyter_server=JupyterConnectionInfo(host="127.0.0.1", use_https=False, port=port, token="mytoken")
)
""",
        HELLO,
        "executor.stop()\nserver.stop()",
    )
    assert printed == "exit_code=0 output='Hello, World!\\n' output_files=[]\n"


def test_jupyter_page_chat(run, server):
    server.script = [TALK, CODE]
    printed = run(
        """
from pathlib import Path

from autogen import ConversableAgent
from autogen.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer

server = LocalJupyterServer()

output_dir = Path("coding")
output_dir.mkdir(exist_ok=True)

executor = JupyterCodeExecutor(server, output_dir=output_dir)
""",
        RUNNER,
        WRITER,
        CHAT,
        "server.stop()",
    )
    check_fibonacci(printed)


def check_fibonacci(printed):
    task = "Write Python code to calculate the 14th Fibonacci number."
    outcome = "exitcode: 0 (execution succeeded)\nCode output: \n377\n"
    turns = (
        turn("code_executor_agent", "code_writer", task)
        + turn("code_writer", "code_executor_agent", TALK.content)
        + turn("code_executor_agent", "code_writer", "")
        + turn("code_writer", "code_executor_agent", CODE.content)
        + "\n>>>>>>>> EXECUTING 2 CODE BLOCKS (inferred languages are [python, python])...\n"
        + turn("code_executor_agent", "code_writer", outcome)
    )
    assert printed.startswith(
        turns + "ChatResult(chat_id=None,\n           chat_history=[{'content': 'Write Python code"
    )
    result = eval(printed.removeprefix(turns), {"ChatResult": dict})
    assert [message["role"] for message in result["chat_history"]] == [
        "assistant",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert result["summary"] == outcome
    usage = result["cost"]["usage_including_cached_inference"]
    assert usage == result["cost"]["usage_excluding_cached_inference"]
    assert usage["total_cost"] == usage["gpt-4-0613"]["cost"] == pytest.approx(0.0081)
    assert usage["gpt-4-0613"]["total_tokens"] == 240


@pytest.mark.docker
@pytest.mark.usefixtures("bundled_image")
def test_jupyter_page_docker_server(run, server):
    server.script = [TALK, CODE]
    printed = run(
        """
from pathlib import Path
from autogen import ConversableAgent
from autogen.coding import CodeBlock
from autogen.coding.jupyter import DockerJupyterServer, JupyterCodeExecutor

print(DockerJupyterServer.DEFAULT_DOCKERFILE)
""",
        f"with DockerJupyterServer(**{BUNDLED!r}) as server:",  # the bundled image, made of a base that is here
        "    executor = JupyterCodeExecutor(server)",
        indented(HELLO),
        indented(RUNNER),
        indented(WRITER),
        indented(CHAT),
    )
    assert "EXPOSE 8888" in printed
    hello = "exit_code=0 output='Hello, World!\\n' output_files=[]\n"
    assert hello in printed
    check_fibonacci(printed.partition(hello)[2])


def indented(block):
    return "\n".join(f"    {line}" for line in block.splitlines())


FUNCTIONS = """
import pandas
from pathlib import Path

from autogen.coding import CodeBlock, LocalCommandLineCodeExecutor
from autogen.coding.func_with_reqs import Alias, ImportFromModule, with_requirements


def add_two_numbers(a: int, b: int) -> int:
    \"\"\"Add two numbers together.\"\"\"
    return a + b


@with_requirements(python_packages=["pandas"], global_imports=["pandas"])
def load_data() -> pandas.DataFrame:
    \"\"\"Load the ages.

    Returns:
        pandas.DataFrame: name(str), age(int)
    \"\"\"
    return pandas.DataFrame({"name": ["Ada", "Max"], "age": [30, 40]})


@with_requirements(python_packages=["pandas"], global_imports=[Alias("pandas", "pd")])
def some_func1() -> "pd.DataFrame": ...


@with_requirements(python_packages=["pandas"], global_imports=[ImportFromModule("pandas", "DataFrame")])
def some_func2() -> "DataFrame": ...


@with_requirements(python_packages=["pandas"], global_imports=[ImportFromModule("pandas", Alias("DataFrame", "df"))])
def some_func3() -> "df": ...


work_dir = Path("coding")
work_dir.mkdir(exist_ok=True)
executor = LocalCommandLineCodeExecutor(
    work_dir=work_dir, functions=[add_two_numbers, load_data, some_func1, some_func2, some_func3]
)
"""

USE_FUNCTIONS = """
code = f"from {LocalCommandLineCodeExecutor.FUNCTIONS_MODULE} import add_two_numbers\\nprint(add_two_numbers(1, 2))"
print(executor.execute_code_blocks(code_blocks=[CodeBlock(language="python", code=code)]))
result = executor.execute_code_blocks(
    code_blocks=[CodeBlock(language="python", code="from functions import load_data\\nprint(load_data())")]
)
print(result.output)
system_message = "You write code.\\n"
system_message += executor.format_functions_for_prompt()
print(system_message)
"""


def test_user_defined_functions_page(server, tmp_path):
    server.script = [
        "```python\nfrom functions import load_data\nprint(load_data()['age'].mean())\n```",
        "Fine.",
        "It is 35.",
    ]
    (tmp_path / "page.py").write_text(  # a file: the sources of the functions are read from it
        FUNCTIONS
        + USE_FUNCTIONS
        + WRITER
        + RUNNER
        + """
chat_result = code_executor_agent.initiate_chat(
    code_writer_agent,
    message="Please use the load_data function to load the data and calculate the average age.",
    summary_method="reflection_with_llm",
)
print(chat_result.summary)
"""
    )
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=environment(server), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    assert re.match(
        r"exit_code=0 output='3\\n' code_file='.*/coding/tmp_code_\w+\.py'\n  name  age\n0  Ada   30\n", printed
    )
    assert "can be accessed from the module called `functions` by their function names.\n" in printed
    assert (
        "def load_data() -> pandas.DataFrame:\n" in printed
        or "def load_data() -> pandas.core.frame.DataFrame:\n" in printed
    )
    assert "exitcode: 0 (execution succeeded)\nCode output: 35.0\n" in printed
    assert printed.endswith("It is 35.\n")


NOTEBOOK = [
    """
import os
from typing import List

from IPython import get_ipython

from autogen import ConversableAgent
from autogen.coding import CodeBlock, CodeExecutor, CodeExtractor, CodeResult, MarkdownCodeExtractor
""",
    """
class NotebookExecutor(CodeExecutor):
    @property
    def code_extractor(self) -> CodeExtractor:
        return MarkdownCodeExtractor()

    def __init__(self) -> None:
        self._ipython = get_ipython()

    def execute_code_blocks(self, code_blocks: List[CodeBlock]) -> CodeResult:
        log, exitcode = "", 0
        for code_block in code_blocks:
            result = self._ipython.run_cell("%%capture --no-display cap\\n" + code_block.code)
            log += self._ipython.ev("cap.stdout") + self._ipython.ev("cap.stderr")
            if result.result is not None:
                log += str(result.result)
            for error in (result.error_before_exec, result.error_in_exec):
                if error is not None:
                    log, exitcode = log + f"\\n{error}", 1
            if exitcode != 0:
                break
        return CodeResult(exit_code=exitcode, output=log)
""",
    """
code_writer_agent = ConversableAgent(
    name="CodeWriter",
    system_message="You write code for an IPython kernel. Once the task is done, returns 'TERMINATE'.",
    llm_config={"config_list": [{"model": "gpt-4", "api_key": os.getenv("OPENAI_API_KEY")}]},
)
code_executor_agent = ConversableAgent(
    name="CodeExecutor",
    llm_config=False,
    code_execution_config={"executor": NotebookExecutor()},
    is_termination_msg=lambda msg: "TERMINATE" in msg.get("content", "").strip().upper(),
)
chat_result = code_executor_agent.initiate_chat(code_writer_agent, message="Create a plot of caps.")
""",
]


def test_custom_executor_page_in_a_notebook(server, tmp_path):
    """The page's executor runs blocks in the very kernel that the chat runs in; its reader presses Enter at the end."""
    prompts = []
    server.script = [
        "```python\ncaps = {'A': 3}\nprint(len(caps))\n```",
        "```python\ncaps['B']\n```",
        "'---TERMINATE---'",
    ]
    environment = {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": server.url}
    with Session(
        cwd=tmp_path, env=environment, input_handler=lambda prompt, _: prompts.append(prompt) or ""
    ) as session:
        for cell in NOTEBOOK:
            result = session.run(cell)  # the block that fails shows its error in the notebook too
        assert session.run("caps").text.strip() == "{'A': 3}"
    printed = result.text
    assert "\n>>>>>>>> USING AUTO REPLY...\n" in printed
    assert "exitcode: 0 (execution succeeded)\nCode output: 1\n" in printed
    assert (
        "KeyError: 'B'\nCodeExecutor (to CodeWriter):\n\nexitcode: 0 " in printed
    )  # as on the page: %%capture shows it
    assert printed.endswith(f"'---TERMINATE---'\n\n{LINE}\n\n>>>>>>>> NO HUMAN INPUT RECEIVED.\n")
    assert prompts == [
        "Please give feedback to CodeWriter. Press enter or type 'exit' to stop the conversation: ",
    ]


def test_page_cache_is_where_autogen_keeps_it(run, server, tmp_path):
    """The pages' settings name no cache, so AutoGen's default holds."""
    server.script = ["Once."]
    block = 'print(code_writer_agent.generate_reply([{"role": "user", "content": "hi"}]))'
    assert [run(WRITER, block), run(WRITER, block)] == ["Once.\n", "Once.\n"]
    (answer,) = (tmp_path / ".cache" / "41").iterdir()
    assert json.loads(answer.read_text())["content"] == "Once."
