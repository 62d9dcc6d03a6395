"""What a cell showed, as text for a model, files for a person, and message parts for a chat API.

Everything is shown once and in order. Streams are verbatim but for what a terminal does with them; a newline comes
between two outputs only where the first does not end in one. Sentences of ours stand in brackets where they could be
taken for the program's output.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cellblock._core.budget import DEFAULT_BUDGET, Cut, apply_budget, cut_for, left_out
from cellblock._core.chat_api import ChatApi, chat_api
from cellblock._core.mime import binary_value, image_type
from cellblock._core.outputs import (
    DisplayOutput,
    ErrorOutput,
    MimeBundle,
    OmittedOutput,
    Output,
    ResultOutput,
    StreamOutput,
)
from cellblock._core.renderers import DEFAULT_RENDERERS, Renderer, Sink
from cellblock._core.terminal import screen_text
from cellblock._core.tracebacks import error_text

if TYPE_CHECKING:  # pydantic is not needed to render
    from collections.abc import Iterable, Iterator, Sequence

    from cellblock._core.blocks import IPythonCodeResult
    from cellblock._core.results import CellResult

__all__ = [
    "DEFAULT_BUDGET",
    "DEFAULT_RENDERERS",
    "ImagePart",
    "Rendered",
    "Renderer",
    "Sink",
    "apply_budget",
    "message_parts",
    "render_cell",
]

_LATE = "[An earlier cell showed this after it had ended:]"
_NOTHING = "[The code showed no output.]"


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image a model can look at.

    Attributes:
        media_type: "image/png", "image/jpeg", "image/gif" or "image/webp": what the data is, whatever it was sent as.
        data: The image file's content.
    """

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a cell showed, rendered.

    Attributes:
        parts: Text and images in the order in which they were shown; texts that touch are one.
        files: Absolute paths of the files saved, in order.
    """

    parts: tuple[str | ImagePart, ...]
    files: list[str]

    @property
    def text(self) -> str:
        """All text, one line for each file included."""
        return "".join(part for part in self.parts if isinstance(part, str))


def render_cell(
    cell: CellResult,
    sink: Sink | None = None,
    renderers: Sequence[Renderer] = DEFAULT_RENDERERS,
) -> Rendered:
    """Gives what a cell showed, and its notes, as text, files and images.

    Args:
        cell: The result of the cell.
        sink: Where files go; without one, a short description stands in a file's place.
        renderers: Asked in order for each object; the first answer is used.
    """
    files = _Files(sink)
    parts = _joined(_pieces(cell, files, renderers))
    return Rendered(tuple(parts), files.saved)


class _Files:
    """The sink renderers see: a file that cannot be saved counts as not wanted, and the end of the text says why."""

    def __init__(self, sink: Sink | None) -> None:
        self._sink = sink
        self.saved: list[str] = []
        self.problems: dict[str, None] = {}  # in order, each once

    def save(self, data: bytes, extension: str) -> str | None:
        if self._sink is None:
            return None
        try:
            path = self._sink.save(data, extension)
        except OSError as error:
            self.problems[f"An output could not be saved as a file: {error.strerror or error}."] = None
            return None
        if path is not None:
            self.saved.append(path)
        return path


def _pieces(cell: CellResult, files: _Files, renderers: Sequence[Renderer]) -> Iterator[str | ImagePart]:
    yield from _shown(cell.outputs, files, renderers)
    if cell.error is not None and not any(isinstance(output, ErrorOutput) for output in cell.outputs):
        yield error_text(cell.error)
    if cell.late:
        yield _LATE
        yield from _shown(cell.late, files, renderers)
    yield from cell.notes
    yield from files.problems


def _shown(outputs: Iterable[Output], files: _Files, renderers: Sequence[Renderer]) -> Iterator[str | ImagePart]:
    for stream, run in groupby(outputs, lambda output: output.name if isinstance(output, StreamOutput) else None):
        if stream is not None:
            yield screen_text("".join(output.text for output in run if isinstance(output, StreamOutput)))
            continue
        for output in run:
            yield from _shown_alone(output, files, renderers)


def _shown_alone(output: Output, files: _Files, renderers: Sequence[Renderer]) -> Iterator[str | ImagePart]:
    if isinstance(output, DisplayOutput | ResultOutput):
        yield _object_text(output.data, files, renderers)
        image = _image(output.data)
        if image is not None:
            yield image
    elif isinstance(output, ErrorOutput):
        yield error_text(output)
    elif isinstance(output, OmittedOutput):
        yield left_out(output.characters, output.location)


def _object_text(bundle: MimeBundle, files: _Files, renderers: Sequence[Renderer]) -> str:
    for renderer in renderers:
        text = renderer(bundle, files)
        if text is not None:
            return screen_text(text)
    return screen_text(f"[An output of type {', '.join(bundle)} cannot be shown.]") if bundle else ""


def _image(bundle: MimeBundle) -> ImagePart | None:
    """The first representation of an object that a model can look at."""
    for media_type in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        data = binary_value(bundle, media_type)
        actual = image_type(data) if data else None
        if data and actual:
            return ImagePart(actual, data)
    return None


def _joined(pieces: Iterable[str | ImagePart]) -> Iterator[str | ImagePart]:
    """Puts a newline between two outputs where one is missing, and joins texts that touch."""
    text: list[str] = []
    open_line = False
    for piece in pieces:
        if isinstance(piece, ImagePart):
            if text:
                yield "".join(text)
                text = []
            yield piece
        elif piece:
            text += ["\n", piece] if open_line else [piece]
            open_line = not piece.endswith("\n")
    if text:
        yield "".join(text)


def message_parts(
    result: IPythonCodeResult,
    api: str = "openai",
    *,
    images: bool = True,
    budget: int | None = None,
) -> list[dict[str, Any]]:
    """Gives a result as parts of a chat message, text and images in the order in which they were shown.

    Args:
        result: The result of any blocks.
        api: "openai" or "anthropic".
        images: Whether images are included. One that the API would refuse never is; its line of text stays.
        budget: At most this many characters of text in all parts together; None for ``DEFAULT_BUDGET``.

    Returns:
        At least one part, and none without text.

    Raises:
        ConfigError: There is no such API, or the budget is negative.
    """
    form = chat_api(api)
    saved = _SavedFiles(result.output_files)
    parts = _parts_of(result, saved)
    text = "".join(part for part in parts if isinstance(part, str))
    whole = saved.take(".txt") or ""  # where executors keep the text of an output they shortened
    cut = cut_for(text, DEFAULT_BUDGET if budget is None else budget, whole)
    return list(_in_form(_cut_parts(parts, cut), form, images=images)) or [form.text_part(_NOTHING)]


class _SavedFiles:
    """The sink of a second rendering: gives the paths of the files that the first one saved."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = list(paths)

    def save(self, data: bytes, extension: str) -> str | None:  # noqa: ARG002
        return self.take(extension)

    def take(self, extension: str) -> str | None:
        path = next((path for path in self._paths if path.endswith(extension)), None)
        if path is not None:
            self._paths.remove(path)
        return path


def _parts_of(result: IPythonCodeResult, saved: Sink) -> list[str | ImagePart]:
    if not result.cells:
        return [result.output]
    files = _Files(saved)
    return list(_joined(piece for cell in result.cells for piece in _pieces(cell, files, DEFAULT_RENDERERS)))


def _cut_parts(parts: Iterable[str | ImagePart], cut: Cut | None) -> Iterator[str | ImagePart]:
    """Takes a piece out of the text that runs through all parts; images stay."""
    position = 0
    for part in parts:
        if cut is None or isinstance(part, ImagePart):
            yield part
            continue
        start, end = max(cut.start - position, 0), max(cut.end - position, 0)
        yield part[:start] + (cut.sentence if 0 <= cut.start - position < len(part) else "") + part[end:]
        position += len(part)


def _in_form(parts: Iterable[str | ImagePart], api: ChatApi, *, images: bool) -> Iterator[dict[str, Any]]:
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        image = api.image_part_of(part.media_type, part.data) if images else None
        if image is None:
            continue
        if text.strip():
            yield api.text_part(text)
        text = ""
        yield image
    if text.strip():
        yield api.text_part(text)
