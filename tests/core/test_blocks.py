"""Blocks and their results: AutoGen's fields and printed forms, and what we add out of their sight."""

import json

import pytest

from cellblock._core.blocks import CodeBlock, CodeResult, CommandLineCodeResult, IPythonCodeResult
from cellblock._core.outputs import ResultOutput, StreamOutput
from cellblock._core.results import CellResult, CellStatus
from cellblock.errors import CellTimeout

OK = CellResult(CellStatus.OK, (StreamOutput("stdout", "a\n"),), generation=2)
LOST = CellResult(CellStatus.TIMEOUT, (ResultOutput({"text/plain": "b"}),), state_kept=False, generation=2)
NOT_RUN = CellResult(CellStatus.NOT_RUN, generation=3)


def test_results_print_as_autogens_do():
    result = IPythonCodeResult(exit_code=0, output="Hello, World!\n", cells=(OK,))
    assert str(result) == r"exit_code=0 output='Hello, World!\n' output_files=[]"
    assert repr(result) == r"IPythonCodeResult(exit_code=0, output='Hello, World!\n', output_files=[])"
    command = CommandLineCodeResult(exit_code=1, output="", code_file="/a.py")
    assert str(command) == "exit_code=1 output='' code_file='/a.py'"
    assert str(CodeResult(exit_code=0, output="x")) == "exit_code=0 output='x'"
    assert str(CodeBlock(code="1", language="python")) == "code='1' language='python'"


def test_dumps_have_autogens_fields_only():
    result = IPythonCodeResult(exit_code=0, output="x", output_files=["/a.png"], cells=(OK,))
    assert result.model_dump() == {"exit_code": 0, "output": "x", "output_files": ["/a.png"]}
    assert json.loads(result.model_dump_json()) == result.model_dump()


@pytest.mark.parametrize("model", [CodeBlock, CodeResult, IPythonCodeResult, CommandLineCodeResult])
def test_fields_are_given_by_name_only(model):
    with pytest.raises(TypeError):
        model("code", "language")


def test_missing_fields_are_errors():
    with pytest.raises(ValueError, match="language"):
        CodeBlock(code="1")


def test_results_of_autogen_code_need_no_more_than_its_fields():
    result = IPythonCodeResult(exit_code=0, output="x")
    assert (result.output_files, result.cells, result.outputs) == ([], (), ())
    assert (result.status, result.state_kept, result.generation) == (CellStatus.OK, True, 1)
    assert result.raise_for_error() is result


def test_lists_of_files_are_not_shared():
    IPythonCodeResult(exit_code=0, output="").output_files.append("/a")
    assert IPythonCodeResult(exit_code=0, output="").output_files == []


def test_a_result_tells_what_its_cells_came_to():
    result = IPythonCodeResult(exit_code=124, output="", cells=(OK, LOST, NOT_RUN))
    assert result.status is CellStatus.TIMEOUT
    assert result.outputs == (*OK.outputs, *LOST.outputs)
    assert not result.state_kept
    assert result.generation == 3
    with pytest.raises(CellTimeout):
        result.raise_for_error()


def test_equal_fields_make_equal_blocks():
    assert CodeBlock(code="1", language="python") == CodeBlock(code="1", language="python")


def test_results_are_equal_by_autogens_fields():
    result = IPythonCodeResult(exit_code=0, output="a", cells=(OK,))
    assert result == IPythonCodeResult(exit_code=0, output="a", output_files=[])
    assert result != IPythonCodeResult(exit_code=0, output="a", output_files=["/a.png"], cells=(OK,))
    assert result != CodeResult(exit_code=0, output="a")
