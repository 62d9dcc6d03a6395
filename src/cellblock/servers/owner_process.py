"""The process that a thing belongs to, as its name or its labels tell it: is it there?"""

from __future__ import annotations

import os
import sys

__all__ = ["process_exists"]


def process_exists(pid: int) -> bool:
    """Whether this machine has a process of that id, as far as can be told: where it cannot, it has.

    Args:
        pid: The id, in our own count: a container has another.
    """
    if sys.platform == "win32":  # there is no signal that only asks
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True
