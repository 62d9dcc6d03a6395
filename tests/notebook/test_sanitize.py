"""HTML made harmless: what stays, what goes, and that nothing gets through."""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cellblock.notebook.sanitize import HtmlNeeds, needs_of, sanitized

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    "html",
    [
        "<b>bold</b> &amp; <i>italic</i> a &lt; b",
        '<table><thead><tr><th colspan="2">a</th></tr></thead></table>',
        '<td style="text-align: right; color: rgb(1, 2, 3)">1</td>',
        f'<img alt="x" src="{PIXEL}">',
        '<audio controls=""><source src="data:audio/wav;base64,AAAA"></audio>',
        '<a href="https://example.org/?a=1&amp;b" rel="noopener noreferrer">link</a>',
        '<math display="block"><msup><mi>x</mi><mn>2</mn></msup></math>',
        '<details open=""><summary>more</summary>text</details>',
    ],
)
def test_harmless_html_stays(html: str) -> None:
    assert sanitized(html) == html
    assert not needs_of(html).scripts


@pytest.mark.parametrize("html", ["<![foo[ x ]]>", "<![%x;[", "<b>a</b><![foo[<script>alert(1)</script>"])
def test_what_the_parser_gives_up_on_is_shown_as_text(html: str) -> None:
    assert sanitized(html) == f"<pre>{escape(html)}</pre>"
    assert needs_of(html) == HtmlNeeds()


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ("a<script>alert(1)</script>b", "ab"),
        ("a<SCRIPT>alert(1)</ScRiPt >b", "ab"),
        ("a<script>alert(1)", "a"),
        ('<b onclick="alert(1)">x</b>', "<b>x</b>"),
        ('<a href="javascript:alert(1)">x</a>', "<a>x</a>"),
        ('<a href=" java&#10;script:alert(1)">x</a>', "<a>x</a>"),
        ("<img src=x onerror=alert(1)>", "[image]"),
        ('<img src="https://tracker.example/x.png" alt="a <b>">', "[a &lt;b&gt;]"),
        ('<iframe src="x"></iframe>', ""),
        ('<svg><script>alert(1)</script><a href="x">t</a></svg>', ""),
        ("<style>b{}</style>x", "x"),
        ('<b style="background: url(https://x.example)">x</b>', "<b>x</b>"),
        ('<b style="color: red; position: fixed; background-color: url(x)">x</b>', '<b style="color: red">x</b>'),
        ('<b style="color: expression(alert(1))">x</b>', "<b>x</b>"),
        ("<form action=x><input name=a></form>", ""),
        ('<meta http-equiv="refresh" content="0;url=x">', ""),
        ('<base href="https://x.example">', ""),
        ("<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>", "<math><mtext></mtext></math>"),
        (
            "<b title='\"><script>alert(1)</script>'>x</b>",
            '<b title="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;">x</b>',
        ),
        ("</div></main><b>x", "<b>x</b>"),
        ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"),
        ('<span class="hl k main">x</span>', "<span>x</span>"),
        ("<p id=block-1>x</p>", "<p>x</p>"),
    ],
)
def test_harm_goes(html: str, left: str) -> None:
    assert sanitized(html) == left


class Inspector(HTMLParser):
    """Notes everything that could do harm."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style", "iframe", "object", "embed", "link", "meta", "base", "form", "svg", "template"}:
            self.found.append(tag)
        for name, value in attrs:
            url = name in {"href", "src"} and not (value or "").startswith(
                ("http", "mailto:", "#", "data:image/", "data:audio/")
            )
            if name.startswith("on") or name in {"srcdoc", "action", "formaction"} or url or "url(" in (value or ""):
                self.found.append(f"{name}={value}")
        if tag not in {"br", "hr", "img", "col", "wbr", "source"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


PIECES = st.sampled_from(
    [
        "<",
        ">",
        "</",
        "/>",
        '"',
        "'",
        "=",
        "&",
        "&#106;",
        ";",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "\x00",
        "script",
        "style",
        "img",
        "svg",
        "math",
        "mtext",
        "b",
        "table",
        "td",
        "a",
        "textarea",
        "title",
        "src",
        "href",
        "onerror",
        "javascript:",
        "url(",
        ")",
        "data:text/html,",
        "<script>",
        "</script>",
        "<style>",
        "</style>",
        "noscript",
        "template",
        "x",
        " ",
        "\n",
        "<img src=x onerror=alert(1)>",
    ]
)


@example("<noscript><p title='</noscript><img src=x onerror=alert(1)>'>")
@example("<!--><img src=x onerror=alert(1)>-->")
@example("<!--><script>alert(1)</script>-->")
@example("<textarea><a title='</textarea><img src=x onerror=alert(1)>'>")
@example("<math><mi><b></mi><style></b><img src=x onerror=alert(1)>")
@given(st.lists(PIECES, max_size=30).map("".join))
def test_nothing_harmful_gets_through(html: str) -> None:
    clean = sanitized(html)
    inspector = Inspector()
    inspector.feed(clean)
    inspector.close()
    assert inspector.found == []
    assert inspector.open == []  # what is left open would swallow the page after it
    assert sanitized(clean) == clean


def test_images_are_asked_for() -> None:
    assert sanitized("<img src='a.png'>", image={"a.png": PIXEL}.get) == f'<img src="{PIXEL}">'


@pytest.mark.parametrize(
    ("html", "scripts", "frame", "hosts"),
    [
        ("<p>x", False, False, []),
        ("<script>1</script>", True, False, []),
        ("<b onclick=x>y</b>", True, False, []),
        ("<style>b{}</style>", False, True, []),
        ("<style scoped>b{}</style><table></table>", False, False, []),
        ("<svg></svg>", False, True, []),
        ('<script src="https://cdn.example/x.js"></script>', True, False, ["cdn.example"]),
        ('<iframe src="//www.youtube.com/embed/x"></iframe>', False, True, ["www.youtube.com"]),
        ('<script>load("https://cdn.jsdelivr.net/npm/vega@6")</script>', True, False, ["cdn.jsdelivr.net"]),
        ('<script>var x = "http://www.w3.org/2000/svg"</script>', True, False, []),
        ("<script>" + " " * 30_000 + 'x = "https://cdn.jsdelivr.net/x"</script>', True, False, []),
    ],
)
def test_what_html_needs(html: str, scripts: bool, frame: bool, hosts: list[str]) -> None:
    needs = needs_of(html)
    assert (needs.scripts, needs.frame, needs.hosts) == (scripts, frame, hosts)
