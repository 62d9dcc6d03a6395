"""What the build of an image says, for a person who waits for it."""

from __future__ import annotations

import sys

from cellblock._core.terminal import screen_text

__all__ = ["show_build"]


def show_build(line: str) -> None:
    """Shows a line of a build on the standard error, without control characters: a first build takes minutes.

    Args:
        line: As the engine gives it.
    """
    print(screen_text(line), file=sys.stderr, flush=True)
