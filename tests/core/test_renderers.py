"""Which text and file each type of a bundle gives, and that broken data never stops a rendering."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellblock._core.outputs import DisplayOutput
from cellblock._core.render import DEFAULT_RENDERERS, render_cell
from cellblock._core.results import CellResult, CellStatus

PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
).decode()


class MemorySink:
    """Keeps files in memory, with the paths /files/1.png, /files/2.html, …"""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def save(self, data: bytes, extension: str) -> str:
        path = f"/files/{len(self.files) + 1}{extension}"
        self.files[path] = data
        return path


class FullSink:
    """A disk that is full."""

    def save(self, _data: bytes, _extension: str) -> str:
        raise OSError(28, "No space left on device")


def shown(bundle, sink=None, renderers=DEFAULT_RENDERERS):
    return render_cell(CellResult(CellStatus.OK, (DisplayOutput(bundle),)), sink, renderers)


@pytest.mark.parametrize(
    ("media_type", "value", "line", "without_files"),
    [
        ("image/png", PNG, "Image data saved to /files/1.png", "[PNG image, 640x480, 24 B]"),
        ("image/jpeg", "AAEC", "Image data saved to /files/1.jpg", "[JPEG image, 3 B]"),
        ("image/gif", "AAEC", "Image data saved to /files/1.gif", "[GIF image, 3 B]"),
        ("image/webp", "AAEC", "Image data saved to /files/1.webp", "[WebP image, 3 B]"),
        ("image/svg+xml", "<svg/>", "SVG data saved to /files/1.svg", "[SVG image, 6 B]"),
        ("application/pdf", "AAEC", "PDF data saved to /files/1.pdf", "[PDF document, 3 B]"),
        ("text/html", "<b>x</b>", "HTML data saved to /files/1.html", "[HTML, 8 B]"),
        (
            "application/vnd.plotly.v1+json",
            {"data": []},
            "Plotly figure saved to /files/1.plotly.json",
            "[Plotly figure, 16 B]",
        ),
        ("application/vnd.vega.v5+json", {}, "Vega chart saved to /files/1.vg.json", "[Vega chart, 2 B]"),
        ("application/vnd.vegalite.v6.json", {}, "Vega-Lite chart saved to /files/1.vl.json", "[Vega-Lite chart, 2 B]"),
        (
            "application/vnd.vegalite.v4.17+json",
            {},
            "Vega-Lite chart saved to /files/1.vl.json",
            "[Vega-Lite chart, 2 B]",
        ),
        ("application/geo+json", {}, "GeoJSON data saved to /files/1.geojson", "[GeoJSON, 2 B]"),
    ],
)
def test_a_file_gives_one_line_and_without_files_a_description(media_type, value, line, without_files):
    bundle = {media_type: value, "text/plain": "<Object at 0x7f00>"}
    sink = MemorySink()
    rendered = shown(bundle, sink)
    assert rendered.text == line
    assert rendered.files == list(sink.files)
    assert shown(bundle).text == without_files


@pytest.mark.parametrize(
    ("bundle", "text"),
    [
        ({"text/markdown": "# Title", "text/plain": "<Markdown object>"}, "# Title"),
        ({"text/latex": "$x^2$", "text/plain": "x**2", "image/png": PNG}, "$x^2$"),
        (
            {"application/json": {"é": [1, None]}, "text/plain": "<JSON object>"},
            '{\n  "é": [\n    1,\n    null\n  ]\n}',
        ),
        ({"application/json": None}, "null"),
        ({"text/plain": "377"}, "377"),
        ({"text/plain": ["two\n", "lines"]}, "two\nlines"),
        ({"text/plain": "\x1b[31mred\x1b[0m"}, "red"),
        ({"text/plain": "<Figure size 640x480 with 1 Axes>"}, "<Figure size 640x480 with 1 Axes>"),
        ({"application/x-unknown": 1, "text/plain": "known"}, "known"),
        ({}, ""),
    ],
)
def test_text_is_shown_as_its_source(bundle, text):
    sink = MemorySink()
    assert shown(bundle, sink).text == text
    assert not sink.files


def test_html_stands_beside_plain_text_that_says_something():
    table = {"text/html": "<table></table>", "text/plain": "   a\n0  1"}
    assert shown(table, MemorySink()).text == "   a\n0  1\nHTML data saved to /files/1.html"
    assert shown(table).text == "   a\n0  1"


def test_html_of_a_summary_is_shown_before_its_latex():
    """statsmodels' summaries have all three; the text begins with the class and goes on with the table."""
    bundle = {"text/html": "<table></table>", "text/latex": "\\begin{table}", "text/plain": "<class 'Summary'>\nR2 1.0"}
    assert shown(bundle).text == "<class 'Summary'>\nR2 1.0"


def test_html_that_is_not_ascii_says_its_encoding_to_browsers():
    sink = MemorySink()
    shown({"text/html": "<b>é</b>"}, sink)
    assert sink.files["/files/1.html"].decode() == '<meta charset="utf-8">\n<b>é</b>'


def test_a_chart_is_shown_once_though_it_has_html_too():
    bundle = {"application/vnd.plotly.v1+json": {"data": [{"type": "bar"}]}, "text/html": "<div></div>"}
    sink = MemorySink()
    assert shown(bundle, sink).text == "Plotly figure saved to /files/1.plotly.json"
    assert json.loads(sink.files["/files/1.plotly.json"]) == {"data": [{"type": "bar"}]}


@pytest.mark.parametrize("broken", ["not base64", "AAE", "", "é", None, 5, ["AAEC", 1], {"data": "AAEC"}])
def test_a_broken_image_is_left_to_the_next_renderer(broken):
    assert shown({"image/png": broken, "text/plain": "text"}, MemorySink()).text == "text"


@pytest.mark.parametrize(
    "bundle",
    [
        {"image/svg+xml": "no picture"},
        {"application/vnd.plotly.v1+json": "no figure"},
        {"application/geo+json": [1]},
        {"application/json": {1, 2}},
        {"text/html": "  \n"},
        {"text/html": {"a": 1}},
        {"text/markdown": 3},
        {"text/latex": None},
    ],
)
def test_broken_data_of_any_type_is_left_to_the_next_renderer(bundle):
    assert shown({**bundle, "text/plain": "text"}, MemorySink()).text == "text"


def test_an_object_that_nothing_can_show_is_named():
    text = shown({"image/png": "?", "application/x-y": 1}).text
    assert text == "[An output of type image/png, application/x-y cannot be shown.]"


def test_deeply_nested_json_does_not_end_the_rendering():
    value = []
    for _ in range(100_000):
        value = [value]
    assert shown({"application/json": value, "text/plain": "deep"}).text == "deep"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.sampled_from([PNG, "AAEC"]),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=5,
)
known_types = [
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml", "application/pdf", "text/html"),
    *("text/markdown", "text/latex", "application/json", "application/geo+json", "text/plain"),
    *("application/vnd.plotly.v1+json", "application/vnd.vega.v5+json", "application/vnd.vegalite.v5+json"),
]
types = st.text() | st.sampled_from(known_types)


@given(st.dictionaries(types, json_values, max_size=4))
def test_any_bundle_gives_text_that_encodes(bundle):
    shown(bundle, MemorySink()).text.encode()
    shown(bundle).text.encode()


def test_a_full_disk_costs_the_file_and_is_said_once():
    cell = CellResult(CellStatus.OK, (DisplayOutput({"image/png": PNG}), DisplayOutput({"image/png": PNG})))
    rendered = render_cell(cell, FullSink())
    image = "[PNG image, 640x480, 24 B]\n"
    assert rendered.text == f"{image}{image}An output could not be saved as a file: No space left on device."
    assert rendered.files == []


def test_the_first_renderer_that_answers_is_used():
    def title(bundle, _sink):
        return f"Title: {bundle['application/x-title']}" if "application/x-title" in bundle else None

    renderers = (title, *DEFAULT_RENDERERS)
    assert shown({"application/x-title": "T", "text/plain": "t"}, renderers=renderers).text == "Title: T"
    assert shown({"text/plain": "t"}, renderers=renderers).text == "t"
