"""Saving what cells showed so that nothing in it runs before its reader wants it to."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from cellblock._core.renderers import Sink

__all__ = ["GuardedSink", "guarded_page", "scriptless_drawing"]

# Text, styles and pictures that are in the page itself, and nothing from elsewhere.
_STILL = '<meta http-equiv="Content-Security-Policy" content="default-src data: \'unsafe-inline\'">'
_SCRIPT = f"""
const frame = document.querySelector("iframe"), button = document.querySelector("button");
button.onclick = () => {{
  frame.setAttribute("sandbox", "allow-scripts");
  frame.srcdoc = frame.srcdoc.slice({len(_STILL)});
  button.remove();
}};
"""
_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Output of a cell</title>
<style>body {{ margin: 0 }} iframe {{ border: 0; width: 100%; height: 95vh }}</style>
<button>Run the scripts of this page, which code in a sandbox has written, and let it use the network</button>
<iframe sandbox="" srcdoc="{content}"></iframe>
<script>{script}</script>
"""

_HARMLESS = frozenset(
    {
        *(
            "svg",
            "g",
            "defs",
            "symbol",
            "use",
            "path",
            "rect",
            "circle",
            "ellipse",
            "line",
            "polyline",
            "polygon",
            "text",
        ),
        *("tspan", "textPath", "title", "desc", "metadata", "style", "clipPath", "mask", "pattern", "marker", "image"),
        *("linearGradient", "radialGradient", "stop", "switch", "view", "filter"),
    }
)
_DEEPEST = 200  # elements within elements; writing them needs a Python frame for each
_DATA_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_ELSEWHERE = re.compile(r"@import|url\((?!\s*['\"]?(#|data:image/(png|jpeg|gif|webp)))", re.IGNORECASE)


class GuardedSink:
    """Saves HTML as a page that shows it without its scripts until a button is pressed, and SVG without scripts.

    Args:
        sink: Where the files go; other kinds are passed on as they are.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def save(self, data: bytes, extension: str) -> str | None:
        """Keeps a file. See ``Sink``."""
        if extension == ".html":
            data = guarded_page(data)
        elif extension == ".svg":
            data = scriptless_drawing(data)
        return self._sink.save(data, extension)


def guarded_page(content: bytes) -> bytes:
    """A page that shows HTML in a frame in which nothing runs and nothing is loaded, until its button is pressed.

    Then the scripts run in the frame, without access to the page, its address or other files.

    Args:
        content: The HTML.
    """
    framed = html.escape(_STILL + content.decode("utf-8", "replace"), quote=True)
    return _PAGE.format(content=framed, script=_SCRIPT).encode()


def scriptless_drawing(content: bytes) -> bytes:
    """SVG without scripts, handlers, animations, embedded documents and links to elsewhere.

    Args:
        content: The SVG.

    Returns:
        What is left of it; an empty drawing if it is no XML, which no browser draws.
    """
    ET.register_namespace("", "http://www.w3.org/2000/svg")
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    if b"<!DOCTYPE" in content:  # its entities could make little content much; plotting libraries add a bare one
        content = re.sub(rb"<!DOCTYPE[^\[>]*>", b"", content)
    try:
        drawing = ET.fromstring(content) if b"<!DOCTYPE" not in content else None  # noqa: S314 - no entities
    except ET.ParseError:
        drawing = None
    if drawing is None or _name(drawing.tag) != "svg":
        drawing = ET.Element("{http://www.w3.org/2000/svg}svg")
    _clean(drawing)
    cleaned: bytes = ET.tostring(drawing, encoding="utf-8", xml_declaration=True)
    return cleaned


def _clean(element: ET.Element) -> None:
    waiting = [(element, 0)]
    while waiting:
        element, depth = waiting.pop()
        for name, value in list(element.attrib.items()):
            if not _may_stay(_name(name), value):
                del element.attrib[name]
        if _name(element.tag) == "style" and _ELSEWHERE.search(element.text or ""):
            element.text = ""
        for child in list(element):
            known = _name(child.tag) in _HARMLESS or _name(child.tag).startswith("fe")  # fe: the parts of filters
            if known and depth < _DEEPEST:
                waiting.append((child, depth + 1))
            else:
                element.remove(child)


def _may_stay(name: str, value: str) -> bool:
    if name in ("href", "src"):
        return value.startswith("#") or _DATA_PICTURE.fullmatch(value) is not None
    return not name.lower().startswith("on") and not _ELSEWHERE.search(value)


def _name(tag: object) -> str:
    """The name of an element or attribute without its namespace; comments and the like have none."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
