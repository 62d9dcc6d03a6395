"""Functions of a program that executed code can import."""

import functools
import subprocess
import sys

import pytest

from cellblock.coding.base import CodeBlock
from cellblock.coding.func_with_reqs import (
    Alias,
    FunctionWithRequirements,
    ImportFromModule,
    functions_module_source,
    required_packages,
    to_stub,
    with_requirements,
)
from cellblock.coding.local_commandline_code_executor import LocalCommandLineCodeExecutor


def add_two_numbers(a: int, b: int) -> int:
    """Add two numbers together."""
    return a + b


@with_requirements(
    python_packages=["wheel>=0.1"],
    global_imports=["json", Alias("collections", "c"), ImportFromModule("math", ["floor", Alias("ceil", "up")])],
)
def describe(x: float) -> "Table":  # noqa: F821  no such name: annotations are not evaluated where the code runs
    """Describe a number.

    Returns:
        Table: how it looks
    """
    return json.dumps(c.OrderedDict(low=floor(x), high=up(x)))  # noqa: F821  imported where the code runs


SUBTRACT = FunctionWithRequirements.from_str(
    '''
def subtract(a: int, b: int = 1, *rest, c, **more) -> "int":
    """Take away.

    Twice."""
    return a - b
''',
    python_packages=["wheel>=0.1", "pip"],
    global_imports=["os"],
)


def load(source, expression):
    """The value of an expression after the module's source, in another process."""
    code = f"{source}\nprint({expression})"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_module_defines_the_functions_with_their_imports():
    source = functions_module_source([add_two_numbers, describe, SUBTRACT])
    assert source.startswith(
        "from __future__ import annotations\n"
        "import json\nimport collections as c\nfrom math import floor, ceil as up\nimport os\n\n\ndef add_two_numbers("
    )
    assert "with_requirements" not in source
    assert load(source, "add_two_numbers(1, 2), describe(1.5), subtract(3, c=0)") == ('3 {"low": 1, "high": 2} 2\n')


@pytest.mark.parametrize("imports", ["floor", Alias("floor", "floor"), ["floor"]])
def test_one_name_or_several_from_a_module(imports):
    function = FunctionWithRequirements.from_callable(add_two_numbers, [], [ImportFromModule("math", imports)])
    assert "from math import floor" in functions_module_source([function])


def test_other_decorators_are_kept():
    @with_requirements(global_imports=["functools"])
    @functools.cache
    def slow(x):
        return [x, object()]

    assert load(functions_module_source([slow]), "slow(1) is slow(1)") == "True\n"


def test_packages_are_named_once():
    assert required_packages([add_two_numbers, describe, SUBTRACT]) == ["wheel>=0.1", "pip"]


def test_decorated_function_can_be_called_here():
    @with_requirements(python_packages=["pip"])
    def double(x):
        """Doubles."""
        return 2 * x

    assert isinstance(double, FunctionWithRequirements)
    assert (double(4), double.__name__, double.__doc__) == (8, "double", "Doubles.")


def test_stub_of_a_function():
    assert to_stub(add_two_numbers) == (
        'def add_two_numbers(a: int, b: int) -> int:\n    """Add two numbers together."""\n    ...'
    )


def test_stub_indents_a_longer_docstring_as_autogen_does():
    extra = "" if sys.version_info >= (3, 13) else "    "  # Python takes the indentation away itself
    assert to_stub(describe) == (
        "def describe(x: float) -> 'Table':\n"
        f'    """Describe a number.\n\n{extra}    Returns:\n{extra}        Table: how it looks\n    """\n    ...'
    )


def test_stub_of_a_source():
    assert to_stub(SUBTRACT) == (
        'def subtract(a: int, b: int = 1, *rest, c, **more) -> \'int\':\n    """Take away.\n\n        Twice."""\n    ...'
    )


@pytest.mark.parametrize(
    "signature",
    [
        "()",
        "(a, b: 'int' = 2, /, c: list[int] = [1], *, d, e=(), f: str = 'x') -> dict[str, int]",
        "(a, /, *args: int, **kwargs: str) -> None",
        "(*, a=None)",
    ],
)
def test_stub_of_a_source_reads_as_that_of_the_function(signature):
    source = f"def f{signature}: ..."
    space = {}
    exec(source, space)
    assert to_stub(FunctionWithRequirements.from_str(source)) == to_stub(space["f"])


def test_stub_without_a_docstring():
    assert to_stub(FunctionWithRequirements.from_str("def f(x): return x")) == "def f(x):\n    ..."


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("invaliddef f(): pass", "^Could not compile function: invalid syntax"),
        ("x = 1", "^The string must contain exactly one function$"),
        ("def f(): pass\ndef g(): pass", "^The string must contain exactly one function$"),
        ("def f():\n\0", "^Could not compile function: "),
    ],
)
def test_source_that_is_no_function_is_refused(source, complaint):
    with pytest.raises(ValueError, match=complaint):
        FunctionWithRequirements.from_str(source)


def test_source_is_not_run_here():
    FunctionWithRequirements.from_str("raise SystemExit(1)\ndef f(): pass")


def test_source_cannot_be_called_here():
    message = "^String based function with requirement objects are not directly callable$"
    with pytest.raises(NotImplementedError, match=message):
        SUBTRACT(1, 2)


def test_function_without_readable_source_is_refused():
    namespace = {}
    exec("def f(): pass", namespace)
    with pytest.raises(ValueError, match=r"^The source of <function f at .*> cannot be read, .*from_str\(\)\.$"):
        functions_module_source([namespace["f"]])


def executor_with(tmp_path, *functions):
    return LocalCommandLineCodeExecutor(work_dir=tmp_path, functions=functions)


def run(executor, code):
    return executor.execute_code_blocks([CodeBlock(code=code, language="python")])


def test_blocks_import_the_functions(tmp_path):
    executor = executor_with(tmp_path, add_two_numbers, describe, SUBTRACT)
    assert not (tmp_path / "functions.py").exists()
    result = run(executor, "from functions import *\nprint(add_two_numbers(1, 2), describe(1.5), subtract(3, c=0))")
    assert (result.exit_code, result.output) == (0, '3 {"low": 1, "high": 2} 2\n')
    assert run(executor, "# filename: deep/a.py\nfrom functions import add_two_numbers").exit_code == 0


def test_error_in_a_function_is_the_blocks(tmp_path):
    result = run(executor_with(tmp_path, add_two_numbers), "import functions; functions.add_two_numbers(1, None)")
    assert result.exit_code == 1
    assert "TypeError: unsupported operand type(s) for +:" in result.output


def test_import_that_fails_is_said_before_any_block(tmp_path):
    @with_requirements(global_imports=["not_a_real_package"])
    def f():
        pass

    executor = executor_with(tmp_path, f)
    for _ in range(2):  # the second call tries again
        with pytest.raises(ValueError, match=r"(?s)^Functions failed to load: .*No module named 'not_a_real_package'"):
            run(executor, "open('ran', 'w')")
    assert not (tmp_path / "ran").exists()


def test_package_that_does_not_exist_is_said(tmp_path):
    executor = executor_with(tmp_path, FunctionWithRequirements.from_callable(add_two_numbers, ["not a package name"]))
    with pytest.raises(ValueError, match=r"(?s)^Pip install failed\. .*Invalid requirement"):
        run(executor, "print(1)")


def test_prompt_is_autogens(tmp_path):
    assert executor_with(tmp_path, add_two_numbers, SUBTRACT).format_functions_for_prompt() == (
        "You have access to the following user defined functions. They can be accessed from the module called "
        "`functions` by their function names.\n\n"
        "For example, if there was a function called `foo` you could import it by writing "
        "`from functions import foo`\n\n" + to_stub(add_two_numbers) + "\n\n" + to_stub(SUBTRACT)
    )


def test_prompt_by_ones_own_template(tmp_path):
    executor = executor_with(tmp_path, FunctionWithRequirements.from_str("def f(x): return x"))
    assert executor.format_functions_for_prompt("$module_name has\n$functions") == "functions has\ndef f(x):\n    ..."
