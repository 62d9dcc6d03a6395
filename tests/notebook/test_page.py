"""The HTML page: whole, harmless, and in need of nothing."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cellblock import CellResult, CellStatus, DisplayOutput, ErrorOutput, OmittedOutput, ResultOutput, StreamOutput
from cellblock.notebook.documents import Block, Document, TextCell
from cellblock.notebook.page import PageFacts, document_page

PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe"
    b"\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82"
).decode()
FACTS = PageFacts("python3", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), 1.5)


@pytest.fixture(scope="module", autouse=True)
def _charts_can_be_drawn() -> None:
    """vl-convert opens a JavaScript engine once, and keeps it."""
    page_of(DisplayOutput({"application/vnd.vegalite.v5+json": {"mark": "point", "data": {"values": []}}}))


class Page(HTMLParser):
    """What a browser would find on the page itself, and in its frames before anybody touches them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.urls: list[str] = []
        self.handlers: list[str] = []
        self.frames: list[dict[str, str | None]] = []
        self.policy = ""
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        self.urls += [str(value) for name, value in attrs if name in {"src", "href", "srcset", "data"}]
        self.handlers += [name for name in attributes if name.startswith("on")]
        if tag == "iframe":
            self.frames.append(attributes)
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"] or ""

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(*outputs: Any, status: CellStatus = CellStatus.OK, **fields: Any) -> Page:
    block = Block(number=1, code="x = '<b>'", source="x", language="python", cell_id="block-1")
    document = Document("report.md", Path(), (TextCell(source="# Title *here*", cell_id="t"), block))
    return Page(document_page(document, {1: CellResult(status, outputs, **fields)}, FACTS))


def test_text_code_and_outcome() -> None:
    page = page_of(StreamOutput("stdout", "a\x1b[31mred\x1b[0m <script>\n"), ResultOutput({"text/plain": "'42'"}))
    for text in ("Title here", "x = '<b>'", "ared <script>", "'42'", "ok", "report.md", "python3", "2026-01-02 03:04"):
        assert text in page.text
    assert "script" not in page.tags
    assert page.policy.startswith("default-src 'none'; script-src 'none';")


def test_failures_and_notes() -> None:
    error = ErrorOutput("ValueError", "bad <i>", ("\x1b[31mTraceback\x1b[0m", "ValueError: bad <i>"))
    page = page_of(error, status=CellStatus.ERROR, error=error, cause="Because.", state_kept=False)
    for text in ("failed", "ValueError: bad <i>", "Because.", "all variables and imports were lost"):
        assert text in page.text
    assert "i" not in page.tags
    assert "4,000 characters of output were left out" in page_of(OmittedOutput(4000)).text


def test_blocks_that_did_not_run_say_so() -> None:
    assert "not run" in page_of(status=CellStatus.NOT_RUN).text


@pytest.mark.parametrize(
    ("bundle", "url"),
    [
        ({"image/png": PNG, "text/plain": "<Figure>"}, "data:image/png;base64,"),
        (
            {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"},
            "data:image/svg+xml;base64,",
        ),
    ],
)
def test_pictures_are_in_the_page(bundle: dict[str, Any], url: str) -> None:
    page = page_of(DisplayOutput(bundle))
    assert [found[: len(url)] for found in page.urls] == [url]
    assert "svg" not in page.tags


def test_a_picture_keeps_the_size_it_was_given() -> None:
    block = Block(number=1, code="x", source="x", language="python", cell_id="b")
    output = DisplayOutput({"image/png": PNG}, {"image/png": {"width": 300, "height": "x"}})
    html = document_page(Document("r.md", Path(), (block,)), {1: CellResult(CellStatus.OK, (output,))}, FACTS)
    assert 'width="300"' in html
    assert "height=" not in html


def test_html_is_part_of_the_page_where_it_is_harmless() -> None:
    page = page_of(DisplayOutput({"text/html": "<style scoped>x</style><table><tr><td>7</td></tr></table>"}))
    assert "td" in page.tags
    assert page.frames == []


def test_html_with_styles_is_framed_without_scripts() -> None:
    (frame,) = page_of(DisplayOutput({"text/html": "<style>td{color:red}</style><table><tr><td>7"})).frames
    assert frame["sandbox"] is None
    assert "<td>7" in (frame["srcdoc"] or "")


def test_scripts_wait_for_the_reader() -> None:
    html = "<div id=d></div><script>document.title = '</scr' + 'ipt>'</script>"
    page = page_of(DisplayOutput({"text/html": html}))
    (frame,) = page.frames
    assert frame["sandbox"] == "allow-scripts"
    inside = Page(frame["srcdoc"] or "")
    # The only script element is data, the only handler that of the button.
    assert re.findall(r"<script[^>]*>", frame["srcdoc"] or "") == ['<script type="application/json">']
    assert (inside.handlers, inside.urls) == (["onclick"], [])
    assert "script" not in page.tags
    assert "connect-src" not in page.policy
    assert page.policy.startswith("default-src 'none'; script-src 'unsafe-inline'")


def test_html_from_the_network_is_named_and_not_loaded() -> None:
    html = '<script src="https://cdn.example/x.js"></script>'
    page = page_of(DisplayOutput({"text/html": html, "text/plain": "alt.Chart(...)"}))
    assert page.frames == []
    assert "cdn.example" in page.text
    assert "alt.Chart(...)" in page.text


def test_markdown_and_formulas() -> None:
    page = page_of(
        DisplayOutput({"text/markdown": "**b** $x^2$ <script>1</script>"}),
        DisplayOutput({"text/latex": r"$\frac{1}{2}$"}),
    )
    assert page.tags.count("strong") == 1
    assert page.tags.count("math") == 2
    assert "script" not in page.tags


def test_a_formula_is_drawn_and_not_its_picture() -> None:
    page = page_of(DisplayOutput({"text/latex": "$x$", "image/png": PNG, "text/plain": "x"}))
    assert page.tags.count("math") == 1
    assert page.urls == []
    table = page_of(DisplayOutput({"text/latex": "$x$", "text/html": "<table></table>"}))
    assert "math" not in table.tags


@pytest.mark.parametrize(
    "latex", [r"\frac{", r"\text{<img src=x onerror=alert(1)>}", "", "$$", r"\href{javascript:alert(1)}{x}"]
)
def test_no_formula_breaks_the_page(latex: str) -> None:
    page = page_of(DisplayOutput({"text/latex": latex}))
    assert page.handlers == []
    assert page.urls == []


def test_vega_lite_is_drawn_without_the_network() -> None:
    chart = {"mark": "point", "data": {"values": [{"a": 1}]}, "encoding": {"x": {"field": "a", "type": "quantitative"}}}
    page = page_of(DisplayOutput({"application/vnd.vegalite.v5+json": chart, "text/plain": "<Chart>"}))
    assert [url[:26] for url in page.urls] == ["data:image/svg+xml;base64,"]
    far = chart | {"data": {"url": "https://data.example/x.json"}}
    assert "<Chart>" in page_of(DisplayOutput({"application/vnd.vegalite.v5+json": far, "text/plain": "<Chart>"})).text


def test_plotly_brings_its_library_along() -> None:
    figure = {"data": [{"y": [1, 2], "name": "</script><img src=x onerror=alert(1)>"}], "layout": {"height": 300}}
    (frame,) = page_of(DisplayOutput({"application/vnd.plotly.v1+json": figure})).frames
    assert frame["sandbox"] == "allow-scripts"
    assert frame["style"] == "height: 330px"
    assert len(frame["srcdoc"] or "") > 1_000_000
    assert Page(frame["srcdoc"] or "").handlers == ["onclick"]


def test_json_and_unknown_objects() -> None:
    assert '"a": [' in page_of(DisplayOutput({"application/json": {"a": [1]}})).text
    assert '"b": 2' in page_of(DisplayOutput({"application/vnd.other+json": {"b": 2}})).text
    assert (
        "[an object without a form that can be shown here]"
        in page_of(DisplayOutput({"application/x-unknown": "x"})).text
    )


def test_images_of_the_text_are_in_the_page(tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(base64.b64decode(PNG))
    (tmp_path / "secret.txt").write_text("secret")
    text = TextCell(
        source="![a](a%20b.png) ![b](attachment:c.png) ![none](missing.png) ![no](secret.txt) ![far](https://x.example/y.png)",
        cell_id="t",
        attachments={"c.png": {"image/png": PNG}},
    )
    block = Block(number=1, code="x", source="x", language="python", cell_id="b")
    html = document_page(Document("r.md", tmp_path, (text, block)), {}, FACTS)
    assert Page(html).urls == [f"data:image/png;base64,{PNG}"] * 2
    assert "secret.txt" not in html


def test_text_of_the_document_is_harmless_too() -> None:
    text = TextCell(
        source="# T\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1))\n\n<b onclick=x>b</b>", cell_id="t"
    )
    block = Block(number=1, code="</pre><script>", source="x", language="no such language", cell_id="b")
    page = Page(document_page(Document("<r>.md", Path(), (text, block)), {}, FACTS))
    assert "script" not in page.tags
    assert page.handlers == []
    assert "</pre><script>" in page.text


def test_lone_surrogates_and_long_texts() -> None:
    page = page_of(StreamOutput("stdout", "\ud800" + "x" * 300_000), DisplayOutput({"text/html": "<b>\udfff</b>"}))
    assert "left out here" in page.text
    page.text.encode()
