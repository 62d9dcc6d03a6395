"""Markdown, LaTeX and code as HTML for a page that loads nothing and runs no script."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from cellblock._core.mime import image_type
from cellblock.notebook.sanitize import sanitized

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["data_url", "highlighted", "latex_html", "markdown_html", "mathml"]

_SVG_TYPE = "image/svg+xml"


def highlighted(code: str, language: str) -> str:
    """Code as the content of a ``pre``, with Pygments' short class names."""
    from pygments import highlight
    from pygments.formatters.html import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.lexers.special import TextLexer
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False)
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True))).rstrip("\n")


def mathml(source: str, *, block: bool) -> str | None:
    """A formula as MathML, which browsers draw themselves; None where latex2mathml is missing or does not know it.

    Args:
        source: LaTeX with or without its dollars.
        block: Whether it stands on lines of its own.
    """
    formula = source.strip().strip("$").strip()
    convert = _latex_converter()
    if convert is None or not formula:
        return None
    try:
        return sanitized(convert(formula, display="block" if block else "inline"))
    except Exception:  # it raises anything on LaTeX it does not know
        return None


def latex_html(source: str, *, block: bool) -> str:
    """A formula as MathML, or its source where that cannot be had.

    Args:
        source: LaTeX with or without its dollars.
        block: Whether it stands on lines of its own.
    """
    return mathml(source, block=block) or f'<code class="math">{escape(source)}</code>'


def markdown_html(source: str, *, folder: Path | None = None, attachments: Mapping[str, Any] | None = None) -> str:
    """Markdown as harmless HTML, with its images in it.

    Args:
        source: CommonMark with tables; formulas in dollars if mdit-py-plugins is installed.
        folder: Where relative image paths begin; None leaves out images that are files.
        attachments: A notebook cell's attached images by name, as MIME bundles.
    """

    def image(url: str) -> str | None:
        if url.startswith("attachment:"):
            return _attached((attachments or {}).get(unquote(url.removeprefix("attachment:"))))
        return _image_file(folder / unquote(url)) if folder and "://" not in url else None

    return sanitized(_markdown()(source), image=image)


def data_url(data: bytes, media_type: str) -> str:
    """The content itself as a URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@cache
def _markdown() -> Callable[[str], str]:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True, "highlight": _highlighted_fence})
    parser.enable(["table", "strikethrough"])
    try:
        from mdit_py_plugins.dollarmath import dollarmath_plugin
    except ImportError:
        return parser.render
    dollarmath_plugin(parser, double_inline=True, renderer=_dollar_formula)
    return parser.render


def _highlighted_fence(code: str, language: str, _: str) -> str:
    return f'<pre class="hl"><code>{highlighted(code, language)}</code></pre>'


def _dollar_formula(source: str, options: Mapping[str, Any]) -> str:
    return latex_html(source, block=bool(options.get("display_mode")))


@cache
def _latex_converter() -> Callable[..., str] | None:
    try:
        from latex2mathml.converter import convert
    except ImportError:
        return None
    converter: Callable[..., str] = convert
    return converter


def _attached(bundle: Any) -> str | None:
    """The first image of an attachment's MIME bundle."""
    for media_type, value in (bundle if isinstance(bundle, Mapping) else {}).items():
        text = "".join(value) if isinstance(value, list) else value
        try:
            data = text.encode() if media_type == _SVG_TYPE else binascii.a2b_base64(text)
        except (AttributeError, ValueError):
            continue
        if media_type == _SVG_TYPE or image_type(data):
            return data_url(data, media_type)
    return None


def _image_file(path: Path) -> str | None:
    try:
        data = path.read_bytes()
    except (OSError, ValueError):
        return None
    media_type = _SVG_TYPE if path.suffix.lower() == ".svg" else image_type(data)
    return data_url(data, media_type) if media_type else None
