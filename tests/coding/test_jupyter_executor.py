"""JupyterCodeExecutor on a kernel of this process: what AutoGen's users match on, and what it does beside."""

import asyncio
import base64
import gc
import json
import math
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from cellblock._core.outputs import ErrorOutput, Limits, ResultOutput, StreamOutput
from cellblock._core.results import CellStatus
from cellblock.coding import CodeBlock, CodeExecutor, IPythonCodeResult
from cellblock.coding.func_with_reqs import FunctionWithRequirements, with_requirements
from cellblock.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer
from cellblock.errors import CellTimeout, ConfigError, KernelStartError, SessionClosed

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SHOW_PNG = f"from IPython.display import Image, display\ndisplay(Image({PNG!r}, format='png'))"


@pytest.fixture(scope="module")
def output_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("output")


@pytest.fixture(scope="module")
def executor(output_dir):
    """For what does not change an executor."""
    with JupyterCodeExecutor(output_dir=output_dir) as executor:
        yield executor


def run(executor, *blocks):
    """The result of blocks of Python, or of any language if given as (code, language)."""
    blocks = [(block, "python") if isinstance(block, str) else block for block in blocks]
    return executor.execute_code_blocks([CodeBlock(code=code, language=language) for code, language in blocks])


def is_gone(pid):
    """Whether a process has ended; whoever forked it may not have noticed yet."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# Its arguments


class Connectable:
    connection_info = None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timeout": 0, "output_dir": "missing"}, "Timeout must be greater than or equal to 1."),
        ({"timeout": -1}, "Timeout must be greater than or equal to 1."),
        ({"timeout": 0.5}, "Timeout must be greater than or equal to 1."),
        ({"timeout": math.nan}, "Timeout must be greater than or equal to 1."),
        ({"timeout": math.inf}, "Timeout must be greater than or equal to 1."),
        ({"timeout": True}, "Timeout must be greater than or equal to 1."),
        ({"timeout": "60"}, "Timeout must be greater than or equal to 1."),
        ({"output_dir": "/invalid/dir", "jupyter_server": 1}, "Output directory /invalid/dir does not exist."),
        (
            {"output_dir": __file__},
            f"Output directory {__file__} is not a directory. Give the path of an existing directory.",
        ),
        (
            {"jupyter_server": 1, "kernel_name": "invalid"},
            "jupyter_server must be a JupyterConnectable or JupyterConnectionInfo.",
        ),
        ({"jupyter_server": Connectable}, "jupyter_server must be a JupyterConnectable or JupyterConnectionInfo."),
        ({"kernel_id": "an-id"}, "kernel_id names a kernel on a server: give jupyter_server as well."),
        ({"functions": [len], "functions_module": "not a name"}, "Module name must be a valid Python identifier"),
    ],
)
def test_arguments_that_cannot_be_used_are_value_errors_in_autogens_words(arguments, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - as AutoGen raises
        JupyterCodeExecutor(**arguments)
    assert str(caught.value) == message
    assert isinstance(caught.value, ConfigError)


def test_a_kernel_that_is_not_installed_is_a_value_error():
    with pytest.raises(ValueError, match=r"^Kernel invalid_kernel is not installed\."):
        JupyterCodeExecutor(kernel_name="invalid_kernel")


def test_the_attributes_autogens_programs_read(executor, output_dir):
    assert (executor._timeout, executor.timeout, executor._kernel_name) == (60, 60, "python3")
    assert executor._output_dir == output_dir
    assert isinstance(JupyterCodeExecutor.__init__.__defaults__[-1], Path)


def test_class_and_object_are_executors(executor):
    assert isinstance(executor, CodeExecutor)
    assert isinstance(JupyterCodeExecutor, CodeExecutor)
    (block,) = executor.code_extractor.extract_code_blocks("```python\n1\n```")
    assert block == CodeBlock(code="1", language="python")


# Results


def test_a_result_prints_as_autogens_does(executor):
    result = run(executor, "print('Hello, World!')")
    assert str(result) == r"exit_code=0 output='Hello, World!\n' output_files=[]"
    assert isinstance(result, IPythonCodeResult)


def test_no_blocks_are_a_success(executor):
    assert str(run(executor)) == "exit_code=0 output='' output_files=[]"


@pytest.mark.parametrize(
    ("blocks", "output"),
    [
        (["x = 1", "377"], "\n377"),
        (["print(1)", "print(2)"], "1\n\n2\n"),
        (["1", "x = 1", "3"], "1\n\n3"),
        (["print('a', end=''); print('b')"], "ab\n"),
        (["print('a'); 'b'"], "a\n'b'"),
        (["import sys; print('to stderr', file=sys.stderr)"], "to stderr\n"),
        (["print('50 %\\r100 %')"], "100 %\n"),
        (["print('\\x1b[31mred\\x1b[0m')"], "red\n"),
        (["1;"], ""),
    ],
)
def test_the_output_is_the_texts_of_all_blocks_joined_by_newlines(executor, blocks, output):
    result = run(executor, *blocks)
    assert (result.exit_code, result.output) == (0, output)


def test_state_stays_between_blocks_and_between_calls(executor):
    assert run(executor, "a = 20", "b = a + 1").exit_code == 0
    assert run(executor, "a + b").output == "41"


def test_the_first_failing_block_stops(executor):
    result = run(executor, "print('one')", "print('two'); 1/0", "print('three')")
    assert result.exit_code == 1
    assert result.output.startswith("one\n\ntwo\n")
    assert "ZeroDivisionError: division by zero" in result.output
    assert "three" not in result.output
    assert [cell.status for cell in result.cells] == [CellStatus.OK, CellStatus.ERROR, CellStatus.NOT_RUN]
    assert (result.status, result.state_kept) == (CellStatus.ERROR, True)


def test_an_error_is_a_readable_traceback_and_no_list(executor):
    result = run(executor, "def f():\n    return undefined_name\nf()")
    assert (result.exit_code, result.output_files) == (1, [])
    assert result.output.startswith("Traceback (most recent call last):\n")
    assert "NameError: name 'undefined_name' is not defined" in result.output
    assert "\x1b" not in result.output
    assert "\\n" not in result.output


def test_typed_outputs_are_beside_the_text(executor):
    result = run(executor, "print('printed')", "6 * 7", "1/0")
    printed, value, error = result.outputs
    assert printed == StreamOutput("stdout", "printed\n")
    assert isinstance(value, ResultOutput)
    assert isinstance(error, ErrorOutput)


# Files


def test_an_image_is_a_file_and_a_line(executor, output_dir):
    result = run(executor, f"{SHOW_PNG}\nprint('after')")
    (file,) = result.output_files
    assert result.output == f"Image data saved to {file}\nafter\n"
    assert Path(file).parent == output_dir
    assert (Path(file).suffix, Path(file).read_bytes()) == (".png", PNG)
    assert len(Path(file).stem) == 32


def test_html_is_a_file_and_a_line(executor):
    result = run(executor, "from IPython.display import HTML, display\ndisplay(HTML('<b>bold</b>'))")
    (file,) = result.output_files
    assert (Path(file).suffix, Path(file).read_text()) == (".html", "<b>bold</b>")
    assert result.output.strip() == f"HTML data saved to {file}"


def test_files_are_listed_in_order_with_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("files").mkdir()
    with JupyterCodeExecutor(output_dir="files") as executor:
        monkeypatch.chdir("/")
        result = run(
            executor,
            f"{SHOW_PNG}\ndisplay({{'text/html': '<p>'}}, raw=True)",
            "display({'text/html': '<i>'}, raw=True)",
        )
    assert [Path(file).suffix for file in result.output_files] == [".png", ".html", ".html"]
    assert all(Path(file).parent == tmp_path / "files" and Path(file).exists() for file in result.output_files)
    assert [line.rsplit(" ", 1)[1] for line in result.output.splitlines() if line] == result.output_files


def test_files_shown_before_an_error_are_kept(executor):
    result = run(executor, f"{SHOW_PNG}\n1/0")
    assert (result.exit_code, len(result.output_files)) == (1, 1)
    assert result.output_files[0] in result.output


# Languages and pip


def test_a_block_marked_bash_may_be_ipythons(executor):
    result = run(executor, ('!echo "hello world!"', "bash"))
    assert (result.exit_code, result.output.strip()) == (0, "hello world!")


def test_the_exit_code_of_a_shell_block_is_the_shells(executor):
    result = run(executor, ("echo before\nexit 3", "sh"), "print('not reached')")
    assert result.exit_code == 3
    assert result.output.strip() == "before\nThe shell ended with exit status 3."


def test_an_unknown_language_is_told_with_the_known(executor):
    result = run(executor, "print('before')", ("code", "cobol"), "print('after')")
    assert result.exit_code == 1
    assert result.output.startswith("before\n\nUnknown language cobol: a block can be one of bash, html, javascript")
    assert [cell.status for cell in result.cells] == [CellStatus.OK, CellStatus.NOT_RUN, CellStatus.NOT_RUN]


@pytest.mark.parametrize("language", ["python", "bash"])
def test_a_block_that_cannot_be_encoded_fails_and_no_more(executor, language):
    result = run(executor, ("echo '\ud83d'", language), ("1", "python"))
    assert result.exit_code == 1
    assert result.output == "The code cannot be run: its character 7 is half of a surrogate pair. Remove it."
    assert [cell.status for cell in result.cells] == ["not_run", "not_run"]


def test_pip_is_quiet_about_success_and_tells_of_failure(executor):
    done = run(executor, "!pip install pip\n%pip install pip")
    assert (done.exit_code, done.output.strip()) == (0, "")
    failed = run(executor, "!pip install --no-index no-such-package-of-ours")
    assert failed.exit_code == 0
    assert "ERROR: " in failed.output


# How blocks end


def test_input_is_an_error_at_once(executor):
    result = run(executor, "input('name? ')")
    assert result.exit_code == 1
    assert "StdinNotImplementedError" in result.output


def test_input_is_answered_by_a_handler():
    with JupyterCodeExecutor(input_handler=lambda prompt, secret: f"{prompt}{secret}") as executor:
        assert run(executor, "input('name? ')").output == "'name? False'"


def test_exit_is_a_success_and_its_price_is_told():
    with JupyterCodeExecutor() as executor:
        result = run(executor, "x = 1", "exit()")
        assert result.exit_code == 0
        assert not result.state_kept
        assert "The code ended its kernel by calling exit()." in result.output
        assert "all variables and imports were lost" in result.output
        assert "NameError" in run(executor, "x").output


def test_sys_exit_is_an_error(executor):
    result = run(executor, "import sys; sys.exit(7)")
    assert result.exit_code == 1
    assert "SystemExit" in result.output


def test_a_timeout_ends_the_call_and_keeps_the_state():
    with JupyterCodeExecutor(timeout=1) as executor:
        run(executor, "kept = 'kept'")
        began = time.monotonic()
        result = run(executor, "print('before', flush=True)\nimport time; time.sleep(1000)", "print('after')")
        assert time.monotonic() - began < 3
        assert result.exit_code == 124
        assert result.output.startswith("before\n")
        assert "Timeout" in result.output
        assert (result.status, result.state_kept) == (CellStatus.TIMEOUT, True)
        with pytest.raises(CellTimeout):
            result.raise_for_error()
        assert run(executor, "kept").output == "'kept'"


def test_the_timeout_is_for_all_blocks_together():
    with JupyterCodeExecutor(timeout=1) as executor:
        sleep = "import time; time.sleep(0.7); print('sl' 'ept')"
        result = run(executor, sleep, sleep, sleep)
        assert result.output.count("slept") == 1
        assert [cell.status for cell in result.cells] == [CellStatus.OK, CellStatus.TIMEOUT, CellStatus.NOT_RUN]


def test_a_death_is_told_and_the_next_call_works():
    with JupyterCodeExecutor() as executor:
        result = run(executor, "print('before'); import os; os._exit(1)")
        assert result.exit_code == 137
        assert result.output.startswith("before\n")
        assert "The kernel exited with code 1." in result.output
        assert run(executor, "1 + 1").output == "2"
        assert executor.session.generation == 2


def test_restart_forgets_everything():
    with JupyterCodeExecutor() as executor:
        run(executor, "x = 1")
        assert executor.restart() is None
        assert "NameError" in run(executor, "x").output


def test_stopping_twice_does_no_harm_and_ends_the_kernel():
    executor = JupyterCodeExecutor()
    pid = int(run(executor, "import os; os.getpid()").output)
    executor.stop()
    executor.stop()
    assert is_gone(pid)
    for call in (lambda: run(executor, "1"), executor.restart):
        with pytest.raises(SessionClosed):
            call()


def test_leaving_ends_the_kernel_on_an_error_too():
    with pytest.raises(LookupError), JupyterCodeExecutor() as executor:  # noqa: PT012
        pid = int(run(executor, "import os; os.getpid()").output)
        raise LookupError
    assert is_gone(pid)


# Where it runs


def test_a_server_that_only_the_executor_holds_stays():
    with JupyterCodeExecutor(LocalJupyterServer()) as executor:
        gc.collect()
        assert run(executor, "6 * 7").output == "42"


def test_folder_and_environment_are_the_sessions(tmp_path):
    with JupyterCodeExecutor(cwd=tmp_path, env={"KEY": "value"}) as executor:
        assert run(executor, "import os; print(os.getcwd(), os.environ['KEY'])").output == f"{tmp_path} value\n"
        assert run(executor, ("pwd; echo $KEY", "bash")).output == f"{tmp_path}\nvalue\n"


def test_a_kernel_of_another_language_runs_it_and_refuses_others(kernelspecs, tmp_path):  # noqa: ARG001
    with JupyterCodeExecutor(kernel_name="bash", timeout=30, output_dir=tmp_path) as executor:
        assert run(executor, ("greeting=hello", "bash"), ("echo $greeting", "")).output == "\nhello\n"
        refused = run(executor, "print(1)")
        assert refused.exit_code == 1
        assert refused.output == "A block of python cannot run on a kernel for bash; it runs bash only."
        assert run(executor, ("nosuchcommand", "bash")).exit_code == 1
        assert run(executor, ("echo $greeting", "bash")).output == "hello\n"


# User-defined functions


def add_two_numbers(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@with_requirements(python_packages=["pip"], global_imports=["math"])
def square_root(x: float) -> float:
    return math.sqrt(x)


FROM_TEXT = FunctionWithRequirements.from_str("def shout(text: str) -> str:\n    return text.upper()")


def test_functions_can_be_imported_in_blocks_also_after_a_restart():
    functions = [add_two_numbers, square_root, FROM_TEXT]
    code = "from functions import *\nprint(add_two_numbers(1, 2), square_root(16.0), shout('a'))"
    with JupyterCodeExecutor(functions=functions) as executor:
        assert run(executor, code).output == "3 4.0 A\n"
        executor.restart()
        assert run(executor, code).output == "3 4.0 A\n"
        assert "return a + b" in run(executor, "import inspect, functions; print(inspect.getsource(functions))").output


def test_a_model_is_told_of_the_functions():
    with JupyterCodeExecutor(functions=[add_two_numbers], functions_module="tools") as executor:
        assert (executor.functions, executor.functions_module) == ([add_two_numbers], "tools")
        stub = 'def add_two_numbers(a: int, b: int) -> int:\n    """Adds two numbers."""\n    ...'
        assert executor.format_functions_for_prompt("$module_name\n$functions") == f"tools\n{stub}"
        assert executor.format_functions_for_prompt().endswith(f"`from tools import foo`\n\n{stub}")


def test_the_module_of_the_functions_has_the_name_asked_for():
    with JupyterCodeExecutor(functions=[add_two_numbers], functions_module="helpers") as executor:
        assert run(executor, "from helpers import add_two_numbers; add_two_numbers(1, 2)").output == "3"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            FunctionWithRequirements.from_str("def f():\n    return 1", global_imports=["nosuchmodule"]),
            "ModuleNotFoundError",
        ),
        (
            FunctionWithRequirements.from_str(
                "def f():\n    return 1", python_packages=["--no-index", "no-such-package"]
            ),
            "Pip install failed.",
        ),
    ],
)
def test_functions_that_cannot_be_loaded_are_an_error_of_the_constructor(function, message):
    """The guard sees that no kernel stays."""
    with pytest.raises(KernelStartError, match=message) as caught:
        JupyterCodeExecutor(functions=[function])
    assert str(caught.value).startswith("Functions failed to load: ")


# The journal


def test_the_journal_is_a_notebook_of_what_ran(tmp_path):
    path = tmp_path / "run.ipynb"
    with JupyterCodeExecutor(journal=path, output_dir=tmp_path) as executor:
        run(executor, "x = 6", f"{SHOW_PNG}\nx * 7")
        nbformat.validate(nbformat.read(path, as_version=4))
        assert len(nbformat.read(path, as_version=4).cells) == 2
        run(executor, ("echo hi", "bash"), "1/0")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.cells[0].source == "x = 6"
    assert [output.output_type for output in notebook.cells[1].outputs] == ["display_data", "execute_result"]
    assert notebook.cells[2].outputs[0].text == "hi\n"
    assert notebook.cells[3].outputs[0].ename == "ZeroDivisionError"


def test_the_journal_of_a_kernel_of_another_language_is_a_notebook_of_that(kernelspecs, tmp_path):  # noqa: ARG001
    path = tmp_path / "run.ipynb"
    with JupyterCodeExecutor(kernel_name="bash", timeout=30, output_dir=tmp_path, journal=path) as executor:
        run(executor, ("echo a", "sh"))
    notebook = nbformat.read(path, as_version=4)
    assert (notebook.metadata.kernelspec.name, notebook.metadata.language_info.name) == ("bash", "bash")
    assert notebook.cells[0].source == "echo a"


def test_a_journal_that_cannot_be_written_is_an_error_of_the_constructor(tmp_path):
    with pytest.raises(ConfigError):
        JupyterCodeExecutor(journal=tmp_path / "missing" / "run.ipynb", output_dir=tmp_path)


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("get_ipython().run_cell_magic('bash', '', 'echo ' + 'a')", "python"),
        ("get_ipython().run_cell_magic(*('bash', '', 'echo a'))", "python"),
        ("x = " + "-" * 50_000 + "1", "python"),
        ("get_ipython().run_cell_magic('bash', '', script)", "bash"),
    ],
)
def test_the_journal_takes_any_code_as_its_author_wrote_it(tmp_path, code, language):
    path = tmp_path / "run.ipynb"
    with JupyterCodeExecutor(journal=path, output_dir=tmp_path) as executor:
        result = run(executor, (code, language))
    (cell,) = nbformat.read(path, as_version=4).cells
    assert cell.source == (code if language == "python" else f"%%bash\n{code}")
    assert cell.metadata.cellblock.status == result.status


def test_a_journal_that_fails_leaves_the_result(tmp_path):
    path = tmp_path / "run.ipynb"
    with JupyterCodeExecutor(journal=path, output_dir=tmp_path) as executor:
        path.write_text("somebody's own")
        result = run(executor, "print('shown')", "print('after')")
    said = f"The journal does not have this block: {path} is not a notebook that cells can be added to"
    assert (result.exit_code, result.status) == (0, CellStatus.OK)
    assert result.output == f"shown\n{said}; choose another path.\nafter\n{said}; choose another path."
    assert path.read_text() == "somebody's own"


# The budget


def test_an_output_past_its_budget_is_cut_and_whole_in_a_file(tmp_path):
    whole = "".join(f"line {i}\n" for i in range(10_000))
    with JupyterCodeExecutor(output_dir=tmp_path, output_budget=2000) as executor:
        result = run(executor, "for i in range(10_000): print('line', i)")
        assert run(executor, "print('short')").output_files == []
    assert len(result.output) <= 2000
    assert result.output.startswith("line 0\n")
    assert result.output.endswith("line 9999\n")
    (file,) = result.output_files
    assert f"characters of output were left out here. The whole output is in {file}.]" in result.output
    assert Path(file).read_text() == whole
    assert result.outputs == (StreamOutput("stdout", whole),)


def test_without_a_budget_everything_is_in_the_output(tmp_path):
    with JupyterCodeExecutor(output_dir=tmp_path, output_budget=None) as executor:
        result = run(executor, "print('x' * 1_000_000)")
    assert (result.output, result.output_files) == ("x" * 1_000_000 + "\n", [])


def test_what_memory_does_not_keep_is_said_with_its_file(tmp_path):
    with JupyterCodeExecutor(output_dir=tmp_path, limits=Limits(memory=10_000), output_budget=None) as executor:
        result = run(executor, "for i in range(10_000): print(i)")
    (file,) = tmp_path.glob("cellblock-output-*.txt")
    assert f"The whole output is in {file}." in result.output
    assert file.read_text() == "".join(f"{i}\n" for i in range(10_000))


# For models


def test_message_parts_for_models_have_text_and_pictures_in_order(executor):
    result = run(executor, f"print('before')\n{SHOW_PNG}\nprint('after')")
    before, image, after = result.for_model()
    assert (before["type"], image["type"]) == ("text", "image_url")
    assert before["text"].startswith("before")
    assert image["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert "after" in after["text"]
    kinds = [part["type"] for part in result.for_model("anthropic")]
    assert kinds == ["text", "image", "text"]
    assert [part["type"] for part in result.for_model(images=False)] == ["text"]
    json.dumps(result.for_model())


# Asynchronously


@pytest.mark.anyio
async def test_a_call_can_be_awaited_beside_others(executor, output_dir):
    ticks = []

    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    result = await executor.a_execute_code_blocks(
        [CodeBlock(code="import time; time.sleep(0.3); 42", language="python")]
    )
    ticking.cancel()
    assert (result.output, len(ticks) > 5) == ("42", True)
    assert output_dir.is_dir()


@pytest.mark.anyio
async def test_cancelling_a_call_interrupts_its_block():
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    executor = await asyncio.to_thread(JupyterCodeExecutor, on_output=lambda _: loop.call_soon_threadsafe(began.set))
    code = "import time\ntry:\n    print('began', flush=True)\n    time.sleep(1000)\nfinally:\n    ended = True"
    try:
        blocks = [
            CodeBlock(code=code, language="python"),
            CodeBlock(code="later = True", language="python"),
        ]
        call = asyncio.create_task(executor.a_execute_code_blocks(blocks))
        await began.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert executor.session.status == "idle"
        result = await executor.a_execute_code_blocks(
            [CodeBlock(code="ended, 'later' in globals()", language="python")]
        )
        assert result.output == "(True, False)"
    finally:
        await asyncio.to_thread(executor.stop)


def test_a_blocking_call_works_in_a_running_loop(executor):
    async def program():
        return run(executor, "'inside'").output

    assert asyncio.run(program()) == "'inside'"


def test_outputs_are_told_as_they_come(tmp_path):
    seen = []
    with JupyterCodeExecutor(on_output=seen.append, output_dir=tmp_path) as executor:
        run(executor, "print('a')", "'b'")
    assert [type(output) for output in seen] == [StreamOutput, ResultOutput]


def test_nothing_but_files_of_ours_is_in_the_output_dir(executor, output_dir):
    run(executor, "x = 1")
    assert {file.suffix for file in output_dir.iterdir()} <= {".png", ".html"}
