"""Where the lines of a shell's script begin that are commands of their own, and which of them are IPython's.

A line inside a quoted string, a here-document, a group in parentheses or a continued command is part of something else,
whatever it looks like.

Source: POSIX, "Shell Command Language", sections 2.2 (quoting), 2.3 (tokens) and 2.7.4 (here-documents).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Part", "command_lines", "split_block"]

_IPYTHON_LINE = re.compile(
    r"(?:!(?=\S|[ \t]+(?:python3?[ \t]+-m[ \t]+)?pip3?[ \t]+install\b)|%[A-Za-z])(?:\\\n|[^\n])*"
)  # "! command" is a shell's own negation

_ESCAPED = r"\\."
_OPENED_ANYWHERE = r"\"|`|\$\(\(|\$\(|\$\{"
_PLAIN = re.compile(
    rf"{_ESCAPED}|\$?'(?:(?<=\$')(?:\\.|[^'\\])*|(?<!\$')[^']*)'?|{_OPENED_ANYWHERE}"
    r"|(?<![^\s;|&()])#[^\n]*"  # a comment begins where a word could
    r"|\(\(|[<>]?\(|\)|\n|<<<"
    r"|<<(?P<tabs>-?)[ \t]*(?P<word>(?:\\.|'[^']*'|\"[^\"]*\"|[^\s;|&<>()'\"\\])+)",
    re.DOTALL,
)
_TOKENS = {
    "": _PLAIN,
    "(": _PLAIN,
    "`": _PLAIN,
    '"': re.compile(rf"{_ESCAPED}|{_OPENED_ANYWHERE}", re.DOTALL),
    "((": re.compile(rf"{_ESCAPED}|{_OPENED_ANYWHERE}|\(|\)", re.DOTALL),
    "{": re.compile(rf"{_ESCAPED}|'[^']*'?|{_OPENED_ANYWHERE}|\}}", re.DOTALL),
    '"{': re.compile(rf"{_ESCAPED}|{_OPENED_ANYWHERE}|\}}", re.DOTALL),  # in double quotes a ' is only a character
}
"""What to look for next, by what is open."""

_OPENS = {"$((": "((", "((": "((", "$(": "(", "(": "(", "<(": "(", ">(": "(", "${": "{"}
_CLOSES = {")": ("(", "(("), "}": ("{", '"{'), '"': ('"',), "`": ("`",)}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a shell block that one program runs.

    Attributes:
        text: Its lines, without the last line break.
        ipython: Whether it is a line of IPython's; else it is a script for the shell.
    """

    text: str
    ipython: bool


def split_block(code: str) -> Iterator[Part]:
    """The scripts for the shell and the lines of IPython's that a shell block consists of, in order.

    Args:
        code: The block's source, with the line breaks of POSIX.
    """
    at = 0
    for start in command_lines(code):
        if line := _IPYTHON_LINE.match(code, start):
            yield from _script(code[at:start])
            yield Part(line[0], ipython=True)
            at = line.end() + 1
    yield from _script(code[at:])


def command_lines(script: str) -> Iterator[int]:
    """Where the lines begin that are not part of anything begun before them.

    Args:
        script: A shell's script, which may have lines of IPython's.
    """
    opened: list[str] = []
    documents: list[tuple[str, bool]] = []
    position, new_line = 0, True
    while position < len(script):
        if new_line and not opened:
            yield position
            if line := _IPYTHON_LINE.match(script, position):
                position = line.end()  # its quotes are not the shell's
        token = _TOKENS[opened[-1] if opened else ""].search(script, position)
        if token is None:
            return
        position = token.end()
        new_line = token[0] == "\n"
        if new_line:
            position = _after_documents(script, position, documents)
            documents.clear()
        elif token.re is _PLAIN and token["word"]:
            documents.append((re.sub(r"\\(.)|['\"]", r"\1", token["word"]), bool(token["tabs"])))
        else:
            _open_or_close(opened, token[0])


def _script(text: str) -> Iterator[Part]:
    if text.strip():
        yield Part(text.removesuffix("\n"), ipython=False)


def _open_or_close(opened: list[str], symbol: str) -> None:
    innermost = opened[-1] if opened else ""
    if innermost in _CLOSES.get(symbol, ()):
        opened.pop()
    elif symbol in ('"', "`"):
        opened.append(symbol)
    elif symbol in ("$((", "(("):
        opened.extend(("((", "(("))  # each of the two parentheses is closed by one
    elif symbol == "(" and innermost == "((":
        opened.append("((")
    elif symbol == "${" and '"' in opened:
        opened.append('"{')
    elif symbol in _OPENS:
        opened.append(_OPENS[symbol])


def _after_documents(script: str, position: int, documents: list[tuple[str, bool]]) -> int:
    """Where the script goes on after the here-documents that begin at a position."""
    for word, tabs in documents:
        line = ""
        while position < len(script):
            end = script.find("\n", position)
            end = len(script) if end < 0 else end
            line, position = script[position:end], end + 1
            if (line.lstrip("\t") if tabs else line) == word:
                break
    return min(position, len(script))
