"""The rules of a cell's text: verbatim streams, one rendering for each output, newlines only where one is missing."""

import os
import subprocess
import sys

from cellblock._core.outputs import DisplayOutput, ErrorOutput, OmittedOutput, ResultOutput, StreamOutput
from cellblock._core.render import ImagePart, render_cell
from cellblock._core.results import CellResult, CellStatus

PNG = b"\x89PNG\r\n\x1a\n0123"
PNG_BASE64 = "iVBORw0KGgowMTIz"


def out(text):
    return StreamOutput("stdout", text)


def err(text):
    return StreamOutput("stderr", text)


def result(text):
    return ResultOutput({"text/plain": text})


def text_of(*outputs, status=CellStatus.OK, **facts):
    return render_cell(CellResult(status, outputs, **facts)).text


def test_a_print_is_verbatim():
    assert text_of(out("Hello, World!\n")) == "Hello, World!\n"


def test_a_result_has_no_newline_at_its_end():
    assert text_of(result("377")) == "377"


def test_chunks_of_one_stream_are_joined_by_nothing():
    assert text_of(out("a"), out(""), out("b\n"), out("c")) == "ab\nc"


def test_a_progress_bar_sent_in_chunks_is_one_line():
    assert text_of(err("\r 0%"), err("\r 50%"), err("\r100%\n"), out("done")) == "100%\ndone"


def test_an_escape_sequence_cut_between_chunks_is_removed():
    assert text_of(out("\x1b[3"), out("1mred\x1b[0m")) == "red"


def test_a_newline_comes_between_outputs_only_where_one_is_missing():
    assert text_of(out("a"), err("b\n"), out("c\n"), result("1"), result("2"), out("d")) == "a\nb\nc\n1\n2\nd"


def test_outputs_without_text_add_nothing():
    assert text_of(out(""), result(""), ResultOutput({}), out("\x1b[0m")) == ""


def test_carriage_returns_do_not_reach_into_another_output():
    assert text_of(result("377"), out("\rx")) == "377\nx"


def test_an_error_stands_after_the_output_before_it():
    assert text_of(out("before"), ErrorOutput("E", "why"), status=CellStatus.ERROR) == "before\nE: why"


def test_an_error_known_only_from_the_reply_is_shown():
    assert text_of(out("before\n"), error=ErrorOutput("E", "why")) == "before\nE: why"


def test_an_error_is_shown_once():
    error = ErrorOutput("E", "why")
    assert text_of(error, error=error) == "E: why"


def test_omitted_output_is_said_in_place_with_how_much_and_where():
    assert text_of(out("head"), OmittedOutput(1234567, "/tmp/whole.txt"), out("tail\n")) == (
        "head\n[1,234,567 characters of output were left out here. The whole output is in /tmp/whole.txt.]\ntail\n"
    )
    assert text_of(OmittedOutput(5)) == "[5 characters of output were left out here.]"


def test_notes_come_last_each_on_a_line():
    text = text_of(out("x"), status=CellStatus.TIMEOUT, cause="The cell was stopped after 2 s.", state_kept=False)
    assert text.splitlines()[:2] == ["x", "The cell was stopped after 2 s."]
    assert len(text.splitlines()) == 3


def test_late_output_stands_apart_and_is_marked():
    late = (StreamOutput("stdout", "tick\n", late=True),)
    text = text_of(result("1"), late=late, cause="The cell was interrupted.")
    assert text == "1\n[An earlier cell showed this after it had ended:]\ntick\nThe cell was interrupted."


def test_parts_are_texts_and_images_in_order():
    cell = CellResult(
        CellStatus.OK, (out("a"), DisplayOutput({"image/png": PNG_BASE64}), result("1"), out("b\n"), result("2"))
    )
    rendered = render_cell(cell)
    assert rendered.parts == ("a\n[PNG image, 12 B]", ImagePart("image/png", PNG), "\n1\nb\n2")
    assert rendered.text == "a\n[PNG image, 12 B]\n1\nb\n2"


def test_an_image_part_says_what_the_data_is_not_what_it_was_sent_as():
    cell = CellResult(CellStatus.OK, (DisplayOutput({"image/jpeg": PNG_BASE64}),))
    assert render_cell(cell).parts[-1] == ImagePart("image/png", PNG)


def test_data_that_is_no_image_is_no_image_part():
    cell = CellResult(CellStatus.OK, (DisplayOutput({"image/png": "AAEC"}),))
    assert render_cell(cell).parts == ("[PNG image, 3 B]",)


def test_a_result_gives_its_text_itself():
    assert CellResult(CellStatus.OK, (result("377"),)).text == "377"


def test_rendering_loads_nothing_heavy():
    code = "import sys, cellblock._core.render; print([m for m in ('pydantic', 'IPython', 'zmq') if m in sys.modules])"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[]\n"
