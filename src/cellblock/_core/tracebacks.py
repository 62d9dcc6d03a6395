"""An exception as text a model can read.

IPython sends a traceback as coloured text: a line of dashes, the exception's name with a header, the frames, and the
exception's name with its message. The dashes go, the header says what Python's does, repeated frames are counted.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from cellblock._core.terminal import screen_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellblock._core.outputs import ErrorOutput

__all__ = ["error_summary", "error_text"]

_HEADER = re.compile(r"^(?:-{20,}\n)?[\w.]+ +Traceback \(most recent call last\)$", re.MULTILINE)
_SHOWN_REPEATS = 3  # as many as Python's own tracebacks show of a recursion


def error_text(error: ErrorOutput) -> str:
    """Gives the traceback and, as its end, the exception with its message.

    Args:
        error: What a kernel sent for the exception; kernels of other languages send any lines, or none.
    """
    entries = [screen_text(entry) for entry in error.traceback]
    text = "\n".join(_with_repeats_counted(entries)).rstrip()
    text = _HEADER.sub("Traceback (most recent call last):", text)
    summary = error_summary(error)
    if not _says(text, error):
        return f"{text}\n{summary}" if text else summary
    return text.removesuffix(":") if text.endswith(f"{summary}:") else text  # an exception without a message


def error_summary(error: ErrorOutput) -> str:
    """Gives the exception with its message, as in "NameError: name 'x' is not defined".

    Args:
        error: What a kernel sent for the exception.
    """
    ename, evalue = screen_text(error.ename), screen_text(error.evalue).rstrip()
    if evalue.startswith(f"{ename}:"):
        return evalue  # Julia's kernel has the name in both
    return ": ".join(part for part in (ename, evalue) if part)


def _says(text: str, error: ErrorOutput) -> bool:
    """Whether a traceback says what the exception was, by a line that begins with its name or by the whole message.

    The line need not hold the whole message: that of a SyntaxError lacks the place that its ``evalue`` has.
    """
    if error.ename and re.search(rf"^{re.escape(error.ename)}(:|$)", text, re.MULTILINE):
        return True
    evalue = screen_text(error.evalue).strip()
    return bool(evalue) and evalue in text


def _with_repeats_counted(entries: Iterable[str]) -> Iterator[str]:
    for entry, group in groupby(entries):
        count = sum(1 for _ in group)
        yield from [entry] * min(count, _SHOWN_REPEATS)
        if count > _SHOWN_REPEATS:
            yield f"[The frame above was repeated {count - _SHOWN_REPEATS} more times.]\n"
