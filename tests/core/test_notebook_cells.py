from __future__ import annotations

from typing import Any

import nbformat

from cellblock._core.notebook_cells import NBFORMAT, NBFORMAT_MINOR, code_cell, notebook_metadata, text_cell
from cellblock._core.outputs import DisplayOutput, ErrorOutput, OmittedOutput, Output, ResultOutput, StreamOutput
from cellblock._core.results import CellResult, CellStatus


def valid(*cells: dict[str, Any], metadata: dict[str, Any] | None = None) -> Any:
    """The notebook as nbformat reads it back, which joins lines; fails if it is not valid."""
    notebook = {
        "metadata": metadata or {},
        "nbformat": NBFORMAT,
        "nbformat_minor": NBFORMAT_MINOR,
        "cells": list(cells),
    }
    nbformat.validate(notebook)
    return nbformat.reads(nbformat.writes(nbformat.from_dict(notebook)), as_version=4)


def outputs_of(*outputs: Output, **fields: Any) -> list[Any]:
    result = CellResult(fields.pop("status", CellStatus.OK), outputs, **fields)
    return valid(code_cell("x", result, cell_id="a")).cells[0].outputs


def test_every_kind_of_output() -> None:
    stream, display, result, error, omitted = outputs_of(
        StreamOutput("stdout", "a\nb\x0cc"),
        DisplayOutput({"image/png": "iVBOR", "text/plain": "<Figure>"}, {"image/png": {"width": 10}}),
        ResultOutput({"text/html": "<b>\n</b>", "application/json": {"a": [1]}}, {}, 3),
        ErrorOutput("ValueError", "bad", ("\x1b[31mTraceback\x1b[0m", "ValueError: bad")),
        OmittedOutput(1234567, "whole.txt"),
    )
    assert (stream.output_type, stream.name, stream.text) == ("stream", "stdout", "a\nb\x0cc")
    assert display.output_type == "display_data"
    assert display.data == {"image/png": "iVBOR", "text/plain": "<Figure>"}
    assert display.metadata == {"image/png": {"width": 10}}
    assert (result.output_type, result.execution_count) == ("execute_result", 3)
    assert result.data == {"text/html": "<b>\n</b>", "application/json": {"a": [1]}}
    assert (error.ename, error.evalue, len(error.traceback)) == ("ValueError", "bad", 2)
    assert omitted.name == "stderr"
    assert "1,234,567 characters" in omitted.text
    assert "whole.txt" in omitted.text


def test_data_the_schema_has_no_form_for_is_kept_as_text() -> None:
    (output,) = outputs_of(DisplayOutput({"application/x-custom": {"a": 1}, "application/vnd.x.v1+json": {"b": 2}}))
    assert output.data == {"application/x-custom": '{"a": 1}', "application/vnd.x.v1+json": {"b": 2}}


def test_text_that_comes_as_lines_is_text() -> None:
    (output,) = outputs_of(DisplayOutput({"text/html": ["<b>\n", "</b>"], "application/json": ["a", "b"]}))
    assert output.data == {"text/html": "<b>\n</b>", "application/json": ["a", "b"]}


def test_an_error_that_came_with_the_reply_only_is_shown() -> None:
    error = ErrorOutput("Oops", "x")
    assert [o.ename for o in outputs_of(status=CellStatus.ERROR, error=error)] == ["Oops"]
    assert [o.ename for o in outputs_of(error, status=CellStatus.ERROR, error=error)] == ["Oops"]


def test_notes_are_shown_after_the_outputs() -> None:
    _, note = outputs_of(
        StreamOutput("stdout", "a"),
        status=CellStatus.TIMEOUT,
        cause="The cell was stopped after 2 s.",
        state_kept=False,
    )
    assert note.name == "stderr"
    assert note.text.startswith("The cell was stopped after 2 s.\n")
    assert "variables and imports were lost" in note.text


def test_late_output_is_told_apart() -> None:
    texts = [
        o.text for o in outputs_of(StreamOutput("stdout", "own"), late=(StreamOutput("stdout", "late", late=True),))
    ]
    assert texts[1::2] == ["late", "own"]
    assert texts[0] == "Output of earlier cells that came after they were over:\n"


def test_outcome_in_the_metadata() -> None:
    ran = code_cell("x", CellResult(CellStatus.OK, duration=1.23456, execution_count=7), cell_id="a", language="bash")
    assert ran["metadata"]["cellblock"] == {
        "language": "bash", "status": "ok", "duration": 1.235, "generation": 1, "state_kept": True,
    }  # fmt: skip
    assert ran["execution_count"] == 7
    waits = code_cell("x", CellResult(CellStatus.NOT_RUN), cell_id="a", metadata={"tags": ["t"]})
    assert waits["metadata"] == {"tags": ["t"], "cellblock": {"status": "not_run"}}
    assert code_cell("x", None, cell_id="a")["metadata"] == {}
    valid(ran | {"id": "b"}, waits)


def test_text_cells() -> None:
    cells = valid(
        text_cell("# a\n\nb", cell_id="a", attachments={"i.png": {"image/png": "iVBOR"}}),
        text_cell("raw", cell_id="b", kind="raw", metadata={"format": "text/x-rst"}),
    ).cells
    assert [(cell.cell_type, cell.source) for cell in cells] == [("markdown", "# a\n\nb"), ("raw", "raw")]


def test_metadata() -> None:
    metadata = notebook_metadata()
    valid(metadata=metadata)
    assert metadata["kernelspec"] == {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    assert metadata["language_info"]["name"] == "python"
    other = notebook_metadata("bash", "bash")
    valid(metadata=other)
    assert other["language_info"] == {"name": "bash"}
