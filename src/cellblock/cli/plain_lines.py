"""The text that cells print, as plain lines for a terminal or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock._core.terminal import screen_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PlainLines"]

_LONGEST = 64 * 1024  # characters of a line that is passed on before it ends


class PlainLines:
    """Collects what a cell prints and passes on whole lines, without control characters.

    A line is passed on when it ends: until then a progress bar may still return to its start and write over it.

    Args:
        write: Gets one or more whole lines, each with its line break; the last of a cell may have none.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._begun = ""

    def feed(self, text: str) -> None:
        """Takes what was printed."""
        whole, newline, self._begun = (self._begun + text).rpartition("\n")
        if newline:
            self._write(screen_text(whole) + "\n")
        if len(self._begun) > _LONGEST:
            self.flush()

    def flush(self) -> None:
        """Passes on the line that has begun, if there is one."""
        begun, self._begun = self._begun, ""
        if begun:
            self._write(screen_text(begun))

    def end_line(self) -> None:
        """Passes on the line that has begun with a line break, if there is one."""
        if self._begun:
            self.feed("\n")
