"""What one cell came to."""

import pytest

from cellblock._core.outputs import ErrorOutput, ResultOutput, StreamOutput
from cellblock._core.results import CellResult, CellStatus
from cellblock.errors import CellError, CellFailed, CellInterrupted, CellTimeout

ERROR = ErrorOutput("ValueError", "bad value", ("a frame",))


@pytest.mark.parametrize(
    ("status", "code"),
    [("ok", 0), ("error", 1), ("not_run", 1), ("timeout", 124), ("interrupted", 130), ("died", 137)],
)
def test_each_status_has_its_exit_code(status, code):
    assert CellResult(CellStatus(status)).exit_code == code


def test_every_status_has_an_exit_code():
    assert [CellResult(status).exit_code for status in CellStatus]


def test_only_ok_is_ok():
    assert [status for status in CellStatus if CellResult(status).ok] == [CellStatus.OK]


def test_notes_say_why_it_ended_what_is_missing_and_that_state_was_lost():
    result = CellResult(CellStatus.DIED, cause="Killed.", incomplete="Some is missing.", state_kept=False)
    assert result.notes == (
        "Killed.",
        "Some is missing.",
        "The kernel was restarted: all variables and imports were lost.",
    )
    assert CellResult(CellStatus.OK).notes == ()


def test_the_text_has_outputs_and_notes():
    result = CellResult(
        CellStatus.TIMEOUT,
        (StreamOutput("stdout", "printed\n"), ResultOutput({"text/plain": "42"})),
        cause="It took too long.",
    )
    assert result.text.splitlines() == ["printed", "42", "It took too long."]


def test_a_result_that_is_ok_is_given_back():
    result = CellResult(CellStatus.OK)
    assert result.raise_for_error() is result


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (CellStatus.ERROR, CellError),
        (CellStatus.DIED, CellError),
        (CellStatus.NOT_RUN, CellError),
        (CellStatus.TIMEOUT, CellTimeout),
        (CellStatus.INTERRUPTED, CellInterrupted),
    ],
)
def test_other_results_raise_what_tells_them_apart(status, kind):
    with pytest.raises(kind) as caught:
        CellResult(status, cause="Because.").raise_for_error()
    assert str(caught.value) == "Because."
    assert isinstance(caught.value, CellFailed)


def test_an_exception_of_the_code_is_told_by_name():
    with pytest.raises(CellError, match=r"^ValueError: bad value It died\.$"):
        CellResult(CellStatus.ERROR, error=ERROR, cause="It died.").raise_for_error()


def test_a_cell_that_did_not_run_says_so():
    with pytest.raises(CellError, match=r"^The cell did not run\.$"):
        CellResult(CellStatus.NOT_RUN).raise_for_error()


def test_a_timeout_is_a_timeout_error_too():
    with pytest.raises(TimeoutError):
        CellResult(CellStatus.TIMEOUT).raise_for_error()
