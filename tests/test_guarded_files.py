"""What cells showed is saved so that nothing in it runs by itself."""

import html
import re
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from cellblock.files import DirectorySink
from cellblock.guarded_files import GuardedSink, guarded_page, scriptless_drawing


class _Outer(HTMLParser):
    """What a page itself holds, without what is in its frame."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def _outer(content):
    page = _Outer()
    page.feed(guarded_page(content).decode())
    return page.tags


@pytest.mark.parametrize(
    "content",
    [
        b"<script>alert(1)</script>",
        b'"></iframe><script>alert(1)</script>',
        b"'></iframe><img src=x onerror=alert(1)>",
        b"</iframe></title><svg onload=alert(1)>",
        b"\xff\xfe<script>",
        b"{content}{script}",
    ],
)
def test_a_page_stays_in_its_frame(content):
    tags = _outer(content)
    assert [tag for tag, _ in tags] == ["meta", "title", "style", "button", "iframe", "script"]
    frame = tags[4][1]
    assert frame["sandbox"] == ""
    assert frame["srcdoc"].endswith(content.decode("utf-8", "replace"))


def test_a_frame_loads_nothing_until_it_is_asked_to():
    frame = _outer(b"<p>x</p>")[4][1]
    policy = re.match(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', frame["srcdoc"])
    assert policy[1] == "default-src data: 'unsafe-inline'"
    script = guarded_page(b"<p>x</p>").decode().partition("<script>")[2]
    assert f"slice({len(policy[0])})" in script


_DRAWING = """<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9" onload="alert(1)">
<script>alert(1)</script><style>.a {{ fill: red }}</style><style>@import url(http://192.0.2.1)</style>
<g class="a" onclick="alert(1)"><path d="M0 0L9 9" style="fill: url(#p)"/></g>
<a xlink:href="javascript:alert(1)"><text>link</text></a><use xlink:href="#p"/><use xlink:href="http://192.0.2.1/x.svg#p"/>
<image xlink:href="data:image/png;base64,AAAA"/><image xlink:href="http://192.0.2.1/x.png"/>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></body></foreignObject>
<set attributeName="onclick" to="alert(1)"/><rect fill="url(http://192.0.2.1/)" width="3"/>{more}</svg>"""


def test_a_drawing_keeps_its_shapes_and_loses_its_scripts():
    cleaned = scriptless_drawing(_DRAWING.format(more="").encode()).decode()
    for kept in (
        'viewBox="0 0 9 9"',
        "M0 0L9 9",
        ".a { fill: red }",
        'href="#p"',
        "data:image/png;base64,AAAA",
        'width="3"',
    ):
        assert kept in cleaned
    for gone in ("script", "onload", "onclick", "javascript", "192.0.2.1", "foreignObject", "alert", "<set"):
        assert gone not in cleaned


def test_a_drawing_by_matplotlib_looks_as_before():
    program = "import matplotlib.figure, sys\nf = matplotlib.figure.Figure()\nf.subplots().plot([1, 3, 2])\n"
    program += "f.savefig(sys.stdout.buffer, format='svg')"
    drawn = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60).stdout
    before, after = (ET.fromstring(text) for text in (drawn, scriptless_drawing(drawn)))
    shapes = [[(e.tag, e.get("d")) for e in tree.iter() if e.get("d")] for tree in (before, after)]
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) > 10


@pytest.mark.parametrize(
    "content",
    [
        b"<svg><g></svg>",
        b"<html><script>alert(1)</script></html>",
        b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>',
        b"",
    ],
)
def test_what_is_no_drawing_becomes_an_empty_one(content):
    assert list(ET.fromstring(scriptless_drawing(content))) == []


def test_a_drawing_nested_without_end_does_not_break_it():
    deep = b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g>" * 5000 + b"</g>" * 5000 + b"</svg>"
    assert b"svg" in scriptless_drawing(deep)


def test_other_files_are_saved_as_they_are(tmp_path):
    sink = GuardedSink(DirectorySink(tmp_path))
    for extension, data in ((".png", b"\x89PNG"), (".txt", b"<script>")):
        path = sink.save(data, extension)
        assert path is not None
        assert (tmp_path / path).read_bytes() == data
    saved = (tmp_path / sink.save(b"<b>", ".html")).read_text()
    assert html.escape("<b>") in saved
