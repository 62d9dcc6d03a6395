"""HTML from cells made harmless: only known tags and attributes, no script, nothing from the network.

Everything is written anew from what was parsed: tags of the list, attributes of the list with checked values, text with
its special characters escaped. No element is let through whose content browsers read as anything but HTML (``style``,
``script``, ``svg``, ``textarea``, ``noscript``, …), so text can never turn into markup again.

Source: the WHATWG HTML standard, 13.2 (parsing) and 13.3 (serialising, with its warnings).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["HtmlNeeds", "needs_of", "sanitized"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _words(
    "a abbr article aside audio b bdi bdo blockquote br caption cite code col colgroup dd del details dfn div dl dt "
    "em figcaption figure footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q rp rt ruby s "
    "samp section small source span strong sub summary sup table tbody td tfoot th thead time tr tt u ul var video "
    "wbr math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace "
    "msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover"
)
_VOID = _words("br col hr img source wbr")
_CONTENT_DROPPED = _words("head iframe noscript object script select style svg template textarea title")
_ATTRIBUTES = _words(
    "align alt colspan controls datetime dir display displaystyle headers lang linethickness lspace mathvariant "
    "maxsize minsize notation open reversed rowspan rspace scope scriptlevel span start stretchy title width height"
)
_STYLES = _words(
    "background-color border border-bottom border-collapse border-color border-left border-radius border-right "
    "border-style border-top border-width color display font-family font-size font-style font-variant font-weight "
    "height letter-spacing line-height list-style-type margin margin-bottom margin-left margin-right margin-top "
    "max-height max-width min-width opacity overflow overflow-x overflow-y padding padding-bottom padding-left "
    "padding-right padding-top text-align text-decoration text-indent text-transform vertical-align white-space "
    "width word-break"
)
_FRAMED = _words("button canvas form iframe input link object select style svg textarea")
_STYLE_VALUE = re.compile(r"(?:(?:rgba?|hsla?)\([\d\s.,%/]*\)|[\w\s#%.,+'\"-])*\Z", re.IGNORECASE)
_CLASSES = re.compile(r"(?:(?:hl|math|[a-z]{1,2}[0-9]?)(?: |\Z))+\Z")  # Pygments' short names, and two of ours
_HOST = re.compile(r"\s*(?:https?:)?//([^/?#\s]+)", re.IGNORECASE)
_LIBRARY_HOST = re.compile(r"https?://((?:cdn[\w.-]*|[\w.-]*unpkg)\.[a-z]+)/", re.IGNORECASE)
_SCRIPT_HEAD = 20_000  # characters; a library that stands in a script itself names hosts further down, to no harm
_LINK = re.compile(r"(?:https?:|mailto:|#)", re.IGNORECASE)
_DATA = re.compile(
    r"data:(?:image/(?:png|jpeg|gif|webp|bmp|avif|svg\+xml)|(?:audio|video)/[\w.+-]+)[;,]", re.IGNORECASE
)

_Attributes = list[tuple[str, str | None]]


def sanitized(html: str, *, image: Callable[[str], str | None] = lambda _: None) -> str:
    """Harmless HTML with as much of the given one as is on the lists; every element that is opened is closed.

    What Python's parser cannot read is shown as the text that it is.

    Args:
        html: Anybody's HTML.
        image: Gives the ``data:`` URL for the source of an image that is none itself, or None to leave the image out.
    """
    parser = _Sanitizer(image)
    if not _parsed(parser, html):
        return f"<pre>{escape(html)}</pre>"
    return parser.result()


@dataclass(slots=True)
class HtmlNeeds:
    """What a piece of HTML needs to be shown as its author meant it.

    Attributes:
        scripts: It runs scripts.
        frame: It has parts that ``sanitized`` takes away and that a document of its own can show without harm.
        hosts: Where it would load scripts, styles or frames from, as far as that can be seen.
    """

    scripts: bool = False
    frame: bool = False
    hosts: list[str] = field(default_factory=list)


def needs_of(html: str) -> HtmlNeeds:
    """What a piece of HTML needs.

    Args:
        html: Anybody's HTML.
    """
    parser = _NeedsParser()
    return parser.needs if _parsed(parser, html) else HtmlNeeds()


def _parsed(parser: HTMLParser, html: str) -> bool:
    """Feeds a parser; False for what it gives up on, which is a declaration of SGML's that HTML does not have."""
    try:
        parser.feed(html)
        parser.close()
    except AssertionError:
        return False
    return True


class _Sanitizer(HTMLParser):
    """Writes harmless HTML of what it is fed."""

    def __init__(self, image: Callable[[str], str | None]) -> None:
        super().__init__(convert_charrefs=True)
        self._image = image
        self._written: list[str] = []
        self._open: list[str] = []
        self._dropping: list[str] = []  # elements that are left out with their content

    def result(self) -> str:
        return "".join(self._written) + "".join(f"</{tag}>" for tag in reversed(self._open))

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        if tag in _CONTENT_DROPPED:
            self._dropping.append(tag)
        elif not self._dropping and tag in _TAGS:
            written = self._attributes(tag, dict(reversed(attrs)))
            if tag != "img" or written:
                self._written.append("".join([f"<{tag}", *written, ">"]))
                if tag not in _VOID:
                    self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: _Attributes) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:  # in HTML the slash means nothing; in MathML and SVG it closes the element
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            if tag in self._dropping:
                del self._dropping[self._dropping.index(tag) :]
        elif tag in self._open:
            while (closed := self._open.pop()) != tag:
                self._written.append(f"</{closed}>")
            self._written.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            self._written.append(escape(data, quote=False))

    def _attributes(self, tag: str, attributes: dict[str, str | None]) -> list[str]:
        """The attributes that stay; of an image that cannot be shown, none."""
        kept = {name: value or "" for name, value in attributes.items() if name in _ATTRIBUTES}
        if style := _harmless_style(attributes.get("style") or ""):
            kept["style"] = style
        if _CLASSES.match(classes := attributes.get("class") or ""):
            kept["class"] = classes
        if tag == "a" and _LINK.match(link := (attributes.get("href") or "").strip()):
            kept |= {"href": link, "rel": "noopener noreferrer"}
        if tag in ("img", "audio", "video", "source"):
            source = (attributes.get("src") or "").strip()
            shown = source if _DATA.match(source) else self._image(source) if tag == "img" else None
            if tag == "img" and shown is None:
                self._written.append(f"[{escape(attributes.get('alt') or 'image')}]")
                return []
            kept |= {"src": shown} if shown else {}
        return [f' {name}="{escape(value)}"' for name, value in kept.items()]


class _NeedsParser(HTMLParser):
    """Looks for what ``_Sanitizer`` takes away and somebody would miss."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.needs = HtmlNeeds()
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        attributes = dict(attrs)
        if tag == "script" or any(name.startswith("on") for name in attributes):
            self.needs.scripts = True
        elif tag in _FRAMED and "scoped" not in attributes:  # pandas' tables; no browser knows "scoped" any more
            self.needs.frame = True
        self._in_script = tag == "script"
        if tag in ("script", "link", "iframe"):
            self._note_hosts(_HOST.findall(attributes.get("src") or attributes.get("href") or ""))

    def handle_data(self, data: str) -> None:
        if self._in_script:  # charts whose script begins with the libraries it is going to load
            self._note_hosts(_LIBRARY_HOST.findall(data, 0, _SCRIPT_HEAD))

    def _note_hosts(self, hosts: Iterable[str]) -> None:
        self.needs.hosts += [host for host in dict.fromkeys(hosts) if host not in self.needs.hosts]


def _harmless_style(style: str) -> str:
    return "; ".join(f"{name}: {value}" for name, value in _declarations(style.split(";")))


def _declarations(parts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for part in parts:
        name, _, value = part.partition(":")
        name, value = name.strip().lower(), value.strip()
        if name in _STYLES and value and len(value) <= 200 and _STYLE_VALUE.match(value):
            yield name, value
