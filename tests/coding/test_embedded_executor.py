"""EmbeddedIPythonCodeExecutor: where it differs from JupyterCodeExecutor."""

import base64
import inspect
import json
from pathlib import Path

import pytest

from cellblock import KernelPool, Limits
from cellblock.coding import CodeBlock, CodeExecutor, CodeExecutorFactory
from cellblock.coding.jupyter import EmbeddedIPythonCodeExecutor, JupyterCodeExecutor

GIF = "R0lGODlhAQABAIAAAAAAAAAAACwAAAAAAQABAAACAkQBADs="


@pytest.fixture(scope="module")
def executor(tmp_path_factory):
    executor = EmbeddedIPythonCodeExecutor(output_dir=tmp_path_factory.mktemp("output"))
    yield executor
    executor.stop()


def run(executor, *codes):
    return executor.execute_code_blocks([CodeBlock(code=code, language="python") for code in codes])


def test_arguments_go_by_name_only():
    with pytest.raises(TypeError):
        EmbeddedIPythonCodeExecutor(60)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timeout": 0}, "Timeout must be greater than or equal to 1."),
        ({"output_dir": "/invalid/dir"}, "Output directory /invalid/dir does not exist."),
        (
            {"kernel_name": "invalid_kernel"},
            (
                "Kernel invalid_kernel is not installed. Please first install it with "
                "`python -m ipykernel install --user --name invalid_kernel`"
            ),
        ),
    ],
)
def test_arguments_that_cannot_be_used_are_value_errors_in_autogens_words(arguments, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - as AutoGen raises
        EmbeddedIPythonCodeExecutor(**arguments)
    assert str(caught.value).startswith(message)


def test_unknown_arguments_are_ignored_and_the_known_are_attributes(tmp_path):
    executor = EmbeddedIPythonCodeExecutor(timeout=5, kernel_name="python3", output_dir=str(tmp_path), nosuch=1)
    executor.stop()
    assert (executor.timeout, executor.kernel_name, executor.output_dir) == (5, "python3", tmp_path)
    assert isinstance(executor, CodeExecutor)


def test_every_argument_of_a_kernel_of_this_process_is_one_here_too():
    """Whatever is not declared would be ignored without a word."""
    other = set(inspect.signature(JupyterCodeExecutor).parameters) - {"jupyter_server", "kernel_id", "label", "path"}
    assert other <= set(inspect.signature(EmbeddedIPythonCodeExecutor).parameters)


def test_the_arguments_have_their_effect(tmp_path):
    seen = []
    with EmbeddedIPythonCodeExecutor(
        cwd=tmp_path,
        env={"KEY": "value"},
        output_dir=tmp_path,
        input_handler=lambda prompt, secret: f"{prompt}{secret}",
        output_budget=1000,
        journal=tmp_path / "run.ipynb",
        on_output=seen.append,
        limits=Limits(memory=100_000),
    ) as executor:
        result = run(executor, "import os; print(os.getcwd(), os.environ['KEY'], input('name? '))", "print('x' * 5000)")
    assert result.output.startswith(f"{tmp_path} value name? False\n")
    assert len(result.output) <= 1000
    assert len(json.loads((tmp_path / "run.ipynb").read_text())["cells"]) == 2
    assert seen


def test_a_pool_can_give_the_kernel(tmp_path):
    with KernelPool(1) as pool, EmbeddedIPythonCodeExecutor(pool=pool, cwd=tmp_path) as executor:
        assert run(executor, "import os; print(os.getcwd())").output == f"{tmp_path}\n"


def double(x):
    return 2 * x


def test_functions_can_be_imported_by_name_of_the_executor_too():
    config = {"executor": "ipython-embedded", "ipython-embedded": {"functions": [double], "functions_module": "tools"}}
    with CodeExecutorFactory.create(config) as executor:
        assert run(executor, "from tools import double; double(21)").output == "42"


@pytest.mark.parametrize(
    ("blocks", "output"),
    [
        (["x = 1", "377"], "377"),
        (["1", "x = 1", "", "3"], "1\n3"),
        (["x = 1"], ""),
        ([], ""),
    ],
)
def test_blocks_that_showed_nothing_leave_no_line(executor, blocks, output):
    result = run(executor, *blocks)
    assert (result.exit_code, result.output) == (0, output)


def test_files_come_in_the_order_in_which_they_were_shown(executor):
    result = run(
        executor,
        "from IPython.display import HTML, display\ndisplay(HTML('<b>'))",
        f"display({{'image/gif': {GIF!r}}}, raw=True)",
    )
    assert [Path(file).suffix for file in result.output_files] == [".html", ".gif"]
    assert Path(result.output_files[1]).read_bytes() == base64.b64decode(GIF)


def test_an_error_and_a_timeout_are_results():
    executor = EmbeddedIPythonCodeExecutor(timeout=1)
    try:
        error = run(executor, "undefined_name")
        assert error.exit_code == 1
        assert "NameError" in error.output
        timeout = run(executor, "import time; time.sleep(1000)")
        assert timeout.exit_code != 0
        assert "Timeout" in timeout.output
        assert run(executor, "time.__name__").output == "'time'"
    finally:
        executor.stop()


def test_restart_forgets_everything(executor):
    run(executor, "x = 1")
    executor.restart()
    assert "NameError" in run(executor, "x").output


def test_the_factory_makes_one_with_its_arguments(tmp_path):
    executor = CodeExecutorFactory.create(
        {"executor": "ipython-embedded", "ipython-embedded": {"output_dir": str(tmp_path), "timeout": 7}}
    )
    executor.stop()
    assert isinstance(executor, EmbeddedIPythonCodeExecutor)
    assert (executor.timeout, executor.output_dir) == (7, tmp_path)
