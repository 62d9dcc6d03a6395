"""What processes of a fork server may say to their owner, and no more."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["LONGEST", "Said", "understood"]

LONGEST = 64 * 1024
"""Bytes that one line may have."""

_KINDS: dict[str, type] = {
    "pid": int,
    "confined": int,
    "settled": bool,
    "ready": bool,
    "stale": str,
    "refused": str,
    "error": str,
    "ended": int,
}

Said = tuple[str, Any]
"""A word and what was said under it."""


def understood(line: bytes) -> Said | None:
    """What a line says; None if it makes no sense.

    Args:
        line: Without its end.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or len(message) != 1:
        return None
    ((word, value),) = message.items()
    kind = _KINDS.get(word)
    right = kind is not None and isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    return (word, value) if right else None
