"""What a cell showed, as HTML for a page that loads nothing and runs no script by itself.

* Pictures and charts are pictures; SVG is one too, so that its scripts never run.
* HTML of a cell becomes part of the page as far as it is harmless (see ``sanitize``).
* HTML with styles or forms of its own is shown in a frame without scripts.
* HTML with scripts waits behind a button for its reader. Then it runs in a sandboxed frame of no origin, which cannot see
  the page; the page's content policy holds in it too, so nothing is ever loaded or sent.
"""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellblock._core.budget import apply_budget, left_out
from cellblock._core.mime import binary_value, image_type, json_text, text_value
from cellblock._core.outputs import (
    DisplayOutput,
    ErrorOutput,
    MimeBundle,
    OmittedOutput,
    Output,
    ResultOutput,
    StreamOutput,
)
from cellblock._core.terminal import encodable, screen_text
from cellblock._core.tracebacks import error_summary, error_text
from cellblock.notebook.page_markup import data_url, latex_html, markdown_html, mathml
from cellblock.notebook.sanitize import needs_of, sanitized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellblock._core.results import CellResult

__all__ = ["outputs_html"]

_TEXT_BUDGET = 200_000  # characters of one text that a browser still scrolls well; the notebook has the whole
_VEGA_LITE = re.compile(r"application/vnd\.vegalite\.v\d+(\.\d+)*[+.]json")
_VEGA = re.compile(r"application/vnd\.vega\.v\d+(\.\d+)*[+.]json")
_PLOTLY = re.compile(r"application/vnd\.plotly\.v\d+\+json")
_WAITING_STYLE = (
    "<style>body{display:grid;place-content:center;height:96vh;margin:0;text-align:center;background:#f6f8fa;"
    "font:14px/1.5 system-ui,sans-serif;color:#656d76}button{padding:.6em 1.3em;border:0;border-radius:2em;cursor:pointer;"
    "background:#2f6fdb;color:#fff;font:600 14px system-ui,sans-serif}</style>"
)
_START = "const html = JSON.parse(document.scripts[0].text); document.open(); document.write(html); document.close()"
_FRAME_STYLE = (
    "<style>body{font:14px/1.5 system-ui,sans-serif;margin:8px}"
    "table{border-collapse:collapse}th,td{padding:.3em .8em}</style>"
)


def outputs_html(result: CellResult) -> str:
    """All that a cell showed, with the sentences a reader must know beside it."""
    return "\n".join(_parts(result))


def _parts(result: CellResult) -> Iterator[str]:
    if result.late:
        yield _note("Output of earlier cells that came after they were over:")
        yield from map(_output, result.late)
        yield _note("Output of this cell:")
    yield from map(_output, result.outputs)
    yield from map(_note, result.notes)


def _output(output: Output) -> str:
    match output:
        case StreamOutput():
            return _text(output.text, output.name)
        case DisplayOutput() | ResultOutput():
            return f'<div class="shown">{_shown(output)}</div>'
        case ErrorOutput():
            return (
                f'<details class="failure" open><summary>{escape(encodable(error_summary(output)))}</summary>'
                f"{_text(error_text(output), 'traceback')}</details>"
            )
        case OmittedOutput():
            return _note(left_out(output.characters, output.location))
    raise TypeError(f"not an output that a finished cell keeps: {output!r}")


def _note(sentence: str) -> str:
    return f'<p class="note">{escape(encodable(sentence))}</p>'


def _text(text: str, kind: str) -> str:
    return f'<pre class="{kind}">{escape(apply_budget(screen_text(text), _TEXT_BUDGET), quote=False)}</pre>'


def _shown(output: DisplayOutput | ResultOutput) -> str:
    """The object in the first form that this page can show."""
    for show in (_formula, _picture, _svg, _vega, _plotly, _html, _markdown, _latex, _json):
        shown = show(output.data, output)
        if shown is not None:
            return shown
    return _text(text_value(output.data, "text/plain") or "[an object without a form that can be shown here]", "plain")


def _formula(bundle: MimeBundle, _: DisplayOutput | ResultOutput) -> str | None:
    """A formula that can be drawn as one, sharper than the picture that may come with it."""
    text = None if "text/html" in bundle else text_value(bundle, "text/latex")
    drawn = mathml(encodable(text), block=True) if text else None
    return f'<div class="math">{drawn}</div>' if drawn else None


def _picture(bundle: MimeBundle, output: DisplayOutput | ResultOutput) -> str | None:
    for media_type in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        data = binary_value(bundle, media_type)
        if data and (actual := image_type(data)):
            return _image(data_url(data, actual), bundle, output.metadata.get(media_type))
    return None


def _svg(bundle: MimeBundle, output: DisplayOutput | ResultOutput) -> str | None:
    text = text_value(bundle, "image/svg+xml")
    if text is None or "<svg" not in text:
        return None
    return _image(data_url(encodable(text).encode(), "image/svg+xml"), bundle, output.metadata.get("image/svg+xml"))


def _vega(bundle: MimeBundle, _: DisplayOutput | ResultOutput) -> str | None:
    """A chart drawn here and now: its own libraries would come from the network."""
    draw, specification = _vega_drawer(), None
    for pattern, kind in ((_VEGA_LITE, "vegalite"), (_VEGA, "vega")):
        specification = next((value for key, value in bundle.items() if pattern.fullmatch(key)), None)
        if draw and isinstance(specification, dict):
            try:
                svg = draw(kind, specification)
            except ValueError:  # not a specification that can be drawn: its JSON is shown instead
                continue
            return _image(data_url(svg.encode(), "image/svg+xml"), bundle, None)
    return None


def _plotly(bundle: MimeBundle, _: DisplayOutput | ResultOutput) -> str | None:
    figure = next((value for key, value in bundle.items() if _PLOTLY.fullmatch(key)), None)
    library = _plotly_library()
    if not isinstance(figure, dict) or library is None:
        return None
    layout = figure.get("layout") or {}
    draw = f'Plotly.newPlot("figure", {_in_script(figure.get("data"))}, {_in_script(layout)}, {{"responsive": true}})'
    html = f'<div id="figure"></div><script>{library}</script><script>{draw}</script>'
    height = layout.get("height") if isinstance(layout, dict) else None
    return _active_frame(html, "Plotly figure", height if isinstance(height, int) else 480)


def _html(bundle: MimeBundle, _: DisplayOutput | ResultOutput) -> str | None:
    html = text_value(bundle, "text/html")
    if html is None or not html.strip():
        return None
    html = encodable(html)
    needs = needs_of(html)
    if needs.hosts:
        text = _text(text_value(bundle, "text/plain") or "", "plain")
        where = ", ".join(needs.hosts)
        return text + _note(f"This output loads parts from {where}, which a page without network access cannot show.")
    if needs.scripts:
        return _active_frame(html, "Interactive output", 480)
    if needs.frame:
        return f'<iframe sandbox srcdoc="{escape(_FRAME_STYLE + html)}" style="height: {_height(html)}px"></iframe>'
    return f'<div class="html">{sanitized(html)}</div>'


def _markdown(bundle: MimeBundle, _: DisplayOutput | ResultOutput) -> str | None:
    text = text_value(bundle, "text/markdown")
    return None if text is None else f'<div class="markdown">{markdown_html(encodable(text))}</div>'


def _latex(bundle: MimeBundle, _: DisplayOutput | ResultOutput) -> str | None:
    text = text_value(bundle, "text/latex")
    return None if text is None else f'<div class="math">{latex_html(encodable(text), block=True)}</div>'


def _json(bundle: MimeBundle, _: DisplayOutput | ResultOutput) -> str | None:
    for name, value in bundle.items():
        if name == "application/json" or (name.endswith("json") and "text/plain" not in bundle):
            text = json_text(value)
            summary = f"<summary>{escape(name)}</summary>"
            return None if text is None else f"<details>{summary}{_text(text, 'json')}</details>"
    return None


def _image(url: str, bundle: MimeBundle, size: Any) -> str:
    """An image with the size its maker gave it: figures for fine screens have more pixels than they take."""
    numbers = size if isinstance(size, dict) else {}
    shape = "".join(f' {side}="{numbers[side]}"' for side in ("width", "height") if isinstance(numbers.get(side), int))
    alt = text_value(bundle, "text/plain") or "image"
    return f'<img src="{url}" alt="{escape(encodable(alt)[:200])}"{shape}>'


def _active_frame(html: str, what: str, height: int) -> str:
    """A frame with a button in it. Until the reader presses it, the scripts are text."""
    document = f"<!DOCTYPE html><meta charset=utf-8>{_FRAME_STYLE}{html}"
    waiting = (
        f"<!DOCTYPE html><meta charset=utf-8>{_WAITING_STYLE}"
        f'<script type="application/json">{_in_script(document)}</script>'
        f'<div><button onclick="{_START}">&#9654;&ensp;{what}</button>'
        "<p>Runs scripts of this document, shut off from the page and the network.</p></div>"
    )
    return f'<iframe sandbox="allow-scripts" srcdoc="{escape(waiting)}" style="height: {height + 30}px"></iframe>'


def _height(html: str) -> int:
    """Pixels for a frame that cannot tell its own height: from what usually makes a line."""
    lines = len(re.findall(r"<(?:tr|p|br|li|div|h\d|input|button)\b", html))
    return min(max(50 + 31 * lines, 100), 560)


def _in_script(value: Any) -> str:
    """JSON that may stand in a script element, which ends at the first ``</script`` wherever it is."""
    return json.dumps(value).replace("<", "\\u003c")


@cache
def _vega_drawer() -> Callable[[str, dict[str, Any]], str] | None:
    try:
        import vl_convert
    except ImportError:
        return None

    def draw(kind: str, specification: dict[str, Any]) -> str:
        convert = vl_convert.vegalite_to_svg if kind == "vegalite" else vl_convert.vega_to_svg
        return str(convert(specification, allowed_base_urls=[]))

    return draw


@cache
def _plotly_library() -> str | None:
    """plotly.js of an installed plotly, which is not imported for it."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        return None
    try:
        return (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    except OSError:
        return None
