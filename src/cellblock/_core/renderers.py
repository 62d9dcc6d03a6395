"""How one displayed object becomes text for a model and files for a person.

A renderer is a function that looks at the object's MIME bundle and answers with text, or with None if the bundle holds
nothing it can show. Renderers are asked in order, and the first answer is the rendering: an object is shown once.

The order of the built-in ones, from what says most to what every object has:

1. LaTeX of what has no HTML: a formula. Its bundle often has a picture too, from which a model reads less.
2. Pictures (PNG, JPEG, GIF, WebP, SVG) and PDF: whoever sends one wants it seen, and models see the first four.
3. Charts as data (Plotly, Vega-Lite, Vega) and maps (GeoJSON): their bundles carry HTML too, for pages without the
   library that draws them.
4. HTML: what has it mostly has readable plain text, where its LaTeX is the source of a whole table.
5. Markdown and JSON, whose plain text mostly names the class only, and LaTeX after all.
6. Plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from cellblock._core.mime import binary_value, byte_count, image_size, informative_text, json_text, text_value
from cellblock._core.outputs import MimeBundle
from cellblock._core.terminal import encodable

__all__ = ["DEFAULT_RENDERERS", "Renderer", "Sink"]


class Sink(Protocol):
    """Where renderers put files; ``cellblock.DirectorySink`` writes them to a directory."""

    def save(self, data: bytes, extension: str) -> str | None:
        """Keeps a file and gives its absolute path, or None if files are not wanted.

        Args:
            data: The content.
            extension: The end of the name, with its dot.

        Raises:
            OSError: It could not be written. The object is then shown without a file, and the text says why.
        """


Renderer = Callable[[MimeBundle, Sink], str | None]
"""Shows an object as text, saving files if it needs any; None leaves the bundle to the next renderer."""


def _saved_or(short: str, kind: str, data: bytes, extension: str, sink: Sink) -> str:
    path = sink.save(data, extension)
    return f"[{short}, {byte_count(len(data))}]" if path is None else f"{kind} saved to {path}"


def _picture(media_type: str, name: str, extension: str) -> Renderer:
    def render(bundle: MimeBundle, sink: Sink) -> str | None:
        data = binary_value(bundle, media_type)
        if data is None:
            return None
        size = image_size(data)
        pixels = f", {size[0]}x{size[1]}" if size else ""
        return _saved_or(f"{name} image{pixels}", "Image data", data, extension, sink)

    return render


def _svg(bundle: MimeBundle, sink: Sink) -> str | None:
    text = text_value(bundle, "image/svg+xml")
    if text is None or "<svg" not in text:
        return None
    return _saved_or("SVG image", "SVG data", encodable(text).encode(), ".svg", sink)


def _pdf(bundle: MimeBundle, sink: Sink) -> str | None:
    data = binary_value(bundle, "application/pdf")
    return None if data is None else _saved_or("PDF document", "PDF data", data, ".pdf", sink)


def _chart(media_type: str, name: str, extension: str) -> Renderer:
    pattern = re.compile(media_type)

    def render(bundle: MimeBundle, sink: Sink) -> str | None:
        specification = next((value for key, value in bundle.items() if pattern.fullmatch(key)), None)
        text = json_text(specification) if isinstance(specification, dict) else None
        return None if text is None else _saved_or(name, name, encodable(text).encode(), extension, sink)

    return render


def _geojson(bundle: MimeBundle, sink: Sink) -> str | None:
    value = bundle.get("application/geo+json")
    text = json_text(value) if isinstance(value, dict) else None
    return None if text is None else _saved_or("GeoJSON", "GeoJSON data", encodable(text).encode(), ".geojson", sink)


def _html(bundle: MimeBundle, sink: Sink) -> str | None:
    """A file, and before it the object's plain text if it says something: a model reads a table there."""
    html = text_value(bundle, "text/html")
    if html is None or not html.strip():
        return None
    html = encodable(html)
    if not html.isascii() and "charset" not in html:
        html = '<meta charset="utf-8">\n' + html  # browsers take a file that says nothing for Latin-1
    text = informative_text(bundle)
    path = sink.save(html.encode(), ".html")
    if path is None:
        return text or f"[HTML, {byte_count(len(html.encode()))}]"
    line = f"HTML data saved to {path}"
    return line if text is None else text.rstrip("\n") + "\n" + line


def _formula(bundle: MimeBundle, sink: Sink) -> str | None:  # noqa: ARG001
    return None if "text/html" in bundle else text_value(bundle, "text/latex")


def _source(media_type: str) -> Renderer:
    def render(bundle: MimeBundle, sink: Sink) -> str | None:  # noqa: ARG001
        return text_value(bundle, media_type)

    return render


def _json(bundle: MimeBundle, sink: Sink) -> str | None:  # noqa: ARG001
    return json_text(bundle["application/json"]) if "application/json" in bundle else None


DEFAULT_RENDERERS: tuple[Renderer, ...] = (
    _formula,
    _picture("image/png", "PNG", ".png"),
    _picture("image/jpeg", "JPEG", ".jpg"),
    _picture("image/gif", "GIF", ".gif"),
    _picture("image/webp", "WebP", ".webp"),
    _svg,
    _pdf,
    _chart(r"application/vnd\.plotly\.v\d+\+json", "Plotly figure", ".plotly.json"),
    _chart(r"application/vnd\.vegalite\.v\d+(\.\d+)*[+.]json", "Vega-Lite chart", ".vl.json"),
    _chart(r"application/vnd\.vega\.v\d+(\.\d+)*[+.]json", "Vega chart", ".vg.json"),
    _geojson,
    _html,
    _source("text/markdown"),
    _json,
    _source("text/latex"),
    _source("text/plain"),
)
"""The built-in renderers in the order in which they are asked; see the module for the reason of the order."""
