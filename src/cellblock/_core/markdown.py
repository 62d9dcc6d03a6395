"""The fenced code blocks of a Markdown text, by CommonMark's rules.

markdown-it-py finds the fences (nested and longer ones, tildes, indented, in lists and quotes); this file reads their
info strings, for which CommonMark has no rules. The forms in use::

    python                          GitHub, LLMs
    python title="x" {.cls}         MkDocs, Docusaurus
    {.python .noeval key="value"}   Pandoc, Jupytext
    {python, echo=FALSE}            R Markdown, Quarto
    {code-cell} ipython3            MyST, with options in the lines that follow

Sources: CommonMark 0.31 section 4.5; Pandoc's manual, "fenced_code_attributes"; MyST's "code-cell" directive.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from cellblock._core.languages import canonical_language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["FencedBlock", "extract_blocks", "infer_language"]

_MYST_DIRECTIVES = frozenset({"code-cell", "code", "code-block"})
_MYST = re.compile(r"\s*\{(?:code-cell|code-block|code)\}")
_OPTION = re.compile(r":([\w-]+):[ \t]*(.*)\Z")
_YAML_OPTION = re.compile(r"([\w-]+):[ \t]*(.*)\Z")
_WORD = re.compile(r"\w[\w-]*")
_LANGUAGE = re.compile(r"[\w.+#/-]++(?!=)")
_ATTRIBUTE = re.compile(r"""([^\s=,:{}"']+)(?:=("[^"]*"|'[^']*'|[^\s,{}"']*))?""")


@dataclass(frozen=True, slots=True)
class FencedBlock:
    r"""One fenced code block of a Markdown text.

    Attributes:
        code: The source, without the line break that ends its last line, and of a MyST directive without its options. As
            CommonMark has it, line breaks are ``\\n`` and NUL characters are U+FFFD.
        language: Its language in lower case, one name for all of Python's; empty if the writer did not say.
        info: The info string as written, stripped.
        classes: What the info string gives as ``.name`` or as a bare word after the language; the tags of a MyST directive.
        attributes: What the info string gives as ``name=value``; the options of a MyST directive.
        line: The 1-based line of the opening fence.
        end_line: The line of the closing fence, or the last line of a block without one.
        closed: False if the text, or the list or quote around the block, ends before a closing fence: code that a
            model was cut off in.
        nested: Whether the block stands in a list or a quote.
    """

    code: str
    language: str
    info: str = ""
    classes: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    line: int = 1
    end_line: int = 1
    closed: bool = True
    nested: bool = False


def extract_blocks(text: str) -> list[FencedBlock]:
    """The fenced code blocks of a Markdown text, in order. Indented code without a fence is not among them.

    Args:
        text: Markdown; a byte order mark is ignored.
    """
    if "```" not in text and "~~~" not in text:
        return []
    tokens = _parser().parse(text.removeprefix("\ufeff"))
    return [_block(token) for token in tokens if token.type == "fence"]


def infer_language(code: str) -> str:
    """A guess at the language of code that names none, by AutoGen 0.2's rule.

    Returns:
        ``sh`` for a line that starts pip or python, ``python`` for what compiles as Python, else an empty string.
    """
    if code.startswith(("python ", "pip", "python3 ")):
        return "sh"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(code, "<block>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):  # the last three by its nesting
            return ""
    return "python"


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])  # what stands inside of paragraphs is of no interest here
    return parser


def _block(token: Token) -> FencedBlock:
    start, end = token.map or (0, 0)
    language, classes, attributes = _read_info(token.info)
    code = token.content.removesuffix("\n")
    code, options = _take_options(code) if _MYST.match(token.info) else (code, {})
    return FencedBlock(
        code=code,
        language=language,
        info=token.info.strip(),
        classes=classes | frozenset(_WORD.findall(options.get("tags", ""))),
        attributes=attributes | options,
        line=start + 1,
        end_line=end,
        closed=end - start == _line_count(token.content) + 2,
        nested=token.level > 0,
    )


def _take_options(content: str) -> tuple[str, dict[str, str]]:
    """What a MyST directive's content is after its options, and these: ``:name: value`` lines, or YAML between ``---``."""
    lines = content.split("\n")
    options: dict[str, str] = {}
    end = 0
    if lines[0].strip() == "---" and "---" in (later := [line.strip() for line in lines[1:]]):
        end = later.index("---") + 2
        name = ""
        for line in lines[1 : end - 1]:
            if found := _YAML_OPTION.match(line):
                name = found[1]
                options[name] = found[2].strip()
            elif name:
                options[name] = f"{options[name]} {line.strip().removeprefix('-')}".strip()  # an item of its list
    else:
        while end < len(lines) and (found := _OPTION.match(lines[end])):
            options[found[1]] = found[2].strip()
            end += 1
    if end and end < len(lines) and not lines[end].strip():
        end += 1  # the line that sets the code apart
    return "\n".join(lines[end:]), options


def _line_count(content: str) -> int:
    return content.count("\n") + (1 if content and content[-1] != "\n" else 0)


def _read_info(info: str) -> tuple[str, frozenset[str], dict[str, str]]:
    """The language, the classes and the attributes of an info string."""
    match = _LANGUAGE.match(info.strip())
    language, rest = (match[0], match.string[match.end() :]) if match else ("", info)
    words: list[str] = []
    attributes: dict[str, str] = {}
    for name, value in (found.groups() for found in _ATTRIBUTE.finditer(rest)):
        if value is not None:
            attributes[name] = value.strip("\"'")
        elif not name.startswith("#"):
            words.append(name.removeprefix("."))
    if not language and words:
        language = _take_language(words)
    return canonical_language(language) if language else "", frozenset(words), attributes


def _take_language(words: list[str]) -> str:
    """Takes the language from words that stood in braces: the first, or the one after MyST's directive."""
    first = words.pop(0)
    return words.pop(0) if first in _MYST_DIRECTIVES and words else first
