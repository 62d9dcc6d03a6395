"""What a terminal's screen shows of text that was written to it, as plain text.

Programs write for terminals: a progress bar returns to the start of its line and overwrites itself, nested bars move
the cursor up, ``!`` commands run on a pseudo-terminal and colour what they print. What is left here is what a person
would have read in the end.

Sources: ECMA-48 (control functions, 5th edition) for the form of control sequences; xterm's control sequences for what
the cursor movements do.

Three rules:

- One character is one cell, whatever its width on a real screen.
- The cursor never leaves the text: it goes up as far as the last ``_HEIGHT`` lines reach, down to the last line, and
  right to the end of its line. So the text never grows.
- Clearing the whole screen and moving to an absolute place are ignored: a scrollback keeps what they hide.
"""

from __future__ import annotations

import re
from io import StringIO

__all__ = ["encodable", "screen_text"]

_HEIGHT = 100  # lines the cursor can go back to; a terminal has 24 to 60

_DELETED_IN_ASCII = dict.fromkeys([*range(9), *range(11, 32), 127])
_PLAIN = re.compile("[\t\n -~\xa0-\U0010ffff]*")

_C1 = re.compile("[\x80-\x9f]")
_MOVE = r"\[[0-9]{0,6}[A-DFGJK]"  # a number of digits that int() takes at once
_INVISIBLE = re.compile(
    "\x1b(?!" + _MOVE + ")(?:"
    "[PX^_\\]][^\x07\x1b]*(?:\x07|\x1b\\\\)"  # strings: device control, window titles, hyperlinks
    r"|\[[0-?]*[ -/]*[@-~]?"  # control sequences: colours, modes
    r"|[ -/]*[0-~]?)"  # all other escapes, and an escape that never began one
)
_CONTROL = re.compile("[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]+")
_STEP = re.compile("[\r\b\x1b](?:(?<=\b)\b+|(?<=\x1b)" + _MOVE + ")?")


def screen_text(text: str) -> str:
    r"""Gives the text as it can be read on a terminal after it was written there.

    Carriage returns, backspaces and cursor movements are applied; escape sequences and all other control characters but
    ``\n`` and ``\t`` are removed; lone surrogates become U+FFFD.

    Args:
        text: Any text.

    Returns:
        Text without control characters that can always be encoded; the argument itself if there was nothing to do.
    """
    if text.isascii():
        if len(text.translate(_DELETED_IN_ASCII)) == len(text):
            return text
    else:
        text = encodable(text)
        if _PLAIN.fullmatch(text):
            return text
    text = _without_invisible(text)
    if "\x1b" in text or "\b" in text:
        return _replayed(text)
    if "\r" in text:
        return "\n".join(_overwritten(line) if "\r" in line else line for line in text.split("\n"))
    return text


def encodable(text: str) -> str:
    """Gives the text with each lone surrogate replaced by U+FFFD, so that it can be encoded.

    Args:
        text: Any text.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _without_invisible(text: str) -> str:
    """Leaves of the control characters only those that move the cursor."""
    if not text.isascii():
        text = _C1.sub(_as_escape, text)
    if "\x1b" in text:
        text = _INVISIBLE.sub("", text)
    return _CONTROL.sub("", text).replace("\r\n", "\n")


def _as_escape(c1: re.Match[str]) -> str:
    """The escape sequence that ECMA-48 defines as the same control function."""
    return "\x1b" + chr(ord(c1[0]) - 0x40)


def _overwritten(line: str) -> str:
    """A line whose every carriage return starts writing over what is there."""
    shown = ""
    for written in reversed(line.split("\r")):
        if len(written) > len(shown):
            shown += written[len(shown) :]
    return shown


def _replayed(text: str) -> str:
    screen = _Screen()
    position = 0
    for step in _STEP.finditer(text):
        start = step.start()
        if start > position:
            screen.write(text[position:start])
        screen.move(step[0])
        position = step.end()
    screen.write(text[position:])
    return screen.text()


class _Screen:
    """The last lines of a text and a cursor among them; the lines above are finished.

    A line is kept as UTF-32, in which any character can be replaced in place.
    """

    __slots__ = ("_column", "_finished", "_row", "_rows")

    def __init__(self) -> None:
        self._finished = StringIO()
        self._rows = [bytearray()]
        self._row = 0
        self._column = 0

    def write(self, text: str) -> None:
        """Writes lines over what is at the cursor and below it."""
        first, *lines = text.split("\n")
        self._put(first)
        if len(lines) > 2 * _HEIGHT:
            lines = self._finish(lines)
        for line in lines:
            self._feed()
            self._put(line)

    def move(self, step: str) -> None:
        """Takes a carriage return, backspaces or a control sequence."""
        if step == "\r":
            self._column = 0
        elif step[0] == "\b":
            self._column = max(self._column - len(step), 0)
        else:
            self._control(step[-1], step[2:-1])

    def text(self) -> str:
        """All lines."""
        return self._finished.getvalue() + self._standing()

    def _standing(self) -> str:
        return "\n".join(row.decode("utf-32-le") for row in self._rows)

    def _put(self, text: str) -> None:
        start = 4 * self._column
        cells = text.encode("utf-32-le")
        self._rows[self._row][start : start + len(cells)] = cells
        self._column += len(text)

    def _finish(self, lines: list[str]) -> list[str]:
        """Writes most of many lines at once, and gives those that the cursor can come back to."""
        for line in lines[:_HEIGHT]:  # after these the cursor is on the last line for sure
            self._feed()
            self._put(line)
        *finished, last = lines[_HEIGHT:-_HEIGHT]
        self._finished.write("\n".join((self._standing(), *finished, "")))
        self._rows = [bytearray(last.encode("utf-32-le"))]
        self._row = 0
        return lines[-_HEIGHT:]

    def _feed(self) -> None:
        self._column = 0
        self._row += 1
        if self._row < len(self._rows):
            return
        self._rows.append(bytearray())
        if len(self._rows) > _HEIGHT:
            self._finished.write(self._rows.pop(0).decode("utf-32-le") + "\n")
            self._row -= 1

    def _control(self, final: str, parameter: str) -> None:
        if final in "JK":
            self._erase(final, int(parameter or 0))
            return
        count = max(int(parameter or 1), 1)
        row, column = self._row, self._column
        if final in "AF":
            row -= count
        elif final == "B":
            row += count
        if final in "FG":
            column = count - 1 if final == "G" else 0
        elif final in "CD":
            column += count if final == "C" else -count
        self._row = min(max(row, 0), len(self._rows) - 1)
        self._column = min(max(column, 0), len(self._rows[self._row]) // 4)

    def _erase(self, final: str, part: int) -> None:
        row, start = self._rows[self._row], 4 * self._column
        if part == 0:
            del row[start:]
            if final == "J":
                del self._rows[self._row + 1 :]
        elif final == "K" and part == 1:
            blank = min(self._column + 1, len(row) // 4)  # the cursor's own cell too
            row[: 4 * blank] = (" " * blank).encode("utf-32-le")
        elif final == "K" and part == 2:
            row.clear()
            self._column = 0
