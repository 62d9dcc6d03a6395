"""Cells, results and outputs in the form a notebook of nbformat 4.5 keeps them, as plain JSON values.

Written here and not with the nbformat package, whose import alone costs more than most runs; the tests validate with
it. Text is kept as a list of lines, as Jupyter itself writes it, so that notebooks compare well line by line.

Source: nbformat's ``nbformat.v4.5.schema.json``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from cellblock._core.budget import left_out
from cellblock._core.outputs import (
    DisplayOutput,
    ErrorOutput,
    MimeBundle,
    OmittedOutput,
    Output,
    ResultOutput,
    StreamOutput,
)
from cellblock._core.results import CellResult, CellStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["NBFORMAT", "NBFORMAT_MINOR", "code_cell", "notebook_metadata", "text_cell"]

NBFORMAT, NBFORMAT_MINOR = 4, 5

_JSON_TYPE = re.compile(r"application/(.*\+)?json\Z")  # the schema's own pattern
_LINE_TYPES = re.compile(r"text/|image/svg\+xml\Z")

_PYTHON: Mapping[str, Any] = {  # as ipykernel describes it, but for the version
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}

Cell = dict[str, Any]


def text_cell(
    source: str,
    *,
    cell_id: str,
    kind: str = "markdown",
    metadata: Mapping[str, Any] | None = None,
    attachments: Mapping[str, Any] | None = None,
) -> Cell:
    """A cell that is not run.

    Args:
        source: Its text.
        cell_id: 1 to 64 of ``A-Za-z0-9_-``, unique in its notebook.
        kind: "markdown" or "raw".
        metadata: The cell's metadata.
        attachments: Images of a Markdown cell by name, as MIME bundles.
    """
    cell = {"cell_type": kind, "id": cell_id, "metadata": dict(metadata or {}), "source": _lines(source)}
    return cell | ({"attachments": dict(attachments)} if attachments else {})


def code_cell(
    source: str,
    result: CellResult | None,
    *,
    cell_id: str,
    language: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> Cell:
    """A code cell with what it came to.

    How it ended is in its metadata, under ``cellblock``. What a reader must know beside the outputs (a time-out, lost
    state) is a stderr stream at the end of its outputs, where every viewer shows it.

    Args:
        source: Its code.
        result: What running it came to; None or a ``not_run`` result for a cell that was not run.
        cell_id: 1 to 64 of ``A-Za-z0-9_-``, unique in its notebook.
        language: The language its writer gave it, where that is worth keeping; goes into the metadata too.
        metadata: The cell's other metadata.
    """
    own = ({"language": language} if language else {}) | (_outcome(result) if result else {})
    return {
        "cell_type": "code",
        "execution_count": result.execution_count if result else None,
        "id": cell_id,
        "metadata": dict(metadata or {}) | ({"cellblock": own} if own else {}),
        "outputs": list(_outputs(result)) if result else [],
        "source": _lines(source),
    }


def notebook_metadata(kernel_name: str = "python3", language: str = "python") -> dict[str, Any]:
    """What a notebook says about its kernel, so that Jupyter opens it with the right one.

    Args:
        kernel_name: The kernelspec's name.
        language: The language of the kernel's code.
    """
    return {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)" if kernel_name == "python3" else kernel_name,
            "language": language,
            "name": kernel_name,
        },
        "language_info": dict(_PYTHON) if language == "python" else {"name": language},
    }


def _outcome(result: CellResult) -> dict[str, Any]:
    outcome: dict[str, Any] = {"status": str(result.status)}
    if result.status is not CellStatus.NOT_RUN:
        outcome |= {
            "duration": round(result.duration, 3),
            "generation": result.generation,
            "state_kept": result.state_kept,
        }
    return outcome


def _outputs(result: CellResult) -> Iterator[dict[str, Any]]:
    if result.late:
        yield _note("Output of earlier cells that came after they were over:")
        yield from map(_output, result.late)
    if result.late and result.outputs:
        yield _note("Output of this cell:")
    yield from map(_output, result.outputs)
    if result.error and not any(isinstance(output, ErrorOutput) for output in result.outputs):
        yield _output(result.error)
    if result.notes:
        yield _note("\n".join(result.notes))


def _output(output: Output) -> dict[str, Any]:
    match output:
        case StreamOutput():
            return {"name": output.name, "output_type": "stream", "text": _lines(output.text)}
        case DisplayOutput():
            return {"data": _bundle(output.data), "metadata": dict(output.metadata), "output_type": "display_data"}
        case ResultOutput():
            return {
                "data": _bundle(output.data),
                "execution_count": output.execution_count,
                "metadata": dict(output.metadata),
                "output_type": "execute_result",
            }
        case ErrorOutput():
            return {
                "ename": output.ename,
                "evalue": output.evalue,
                "output_type": "error",
                "traceback": list(output.traceback),
            }
        case OmittedOutput():
            return _note(left_out(output.characters, output.location))
    raise TypeError(f"not an output that a finished cell keeps: {output!r}")


def _note(text: str) -> dict[str, Any]:
    return {"name": "stderr", "output_type": "stream", "text": _lines(text + "\n")}


def _bundle(data: MimeBundle) -> dict[str, Any]:
    return {mime: _representation(mime, value) for mime, value in data.items()}


def _representation(mime: str, value: Any) -> Any:
    if _JSON_TYPE.match(mime):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "".join(value)  # lines, as a notebook keeps a text
    if not isinstance(value, str):
        return json.dumps(value)  # the schema wants text for every type that is not JSON by its name
    return _lines(value) if _LINE_TYPES.match(mime) else value


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
