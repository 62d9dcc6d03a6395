"""Amounts of memory and disk, as people write them."""

from __future__ import annotations

import re

from cellblock.errors import ConfigError

__all__ = ["in_words", "parse_size"]

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_MOST = 2**50  # more than any system has, and less than overflows a limit
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)


def parse_size(size: int | str, name: str) -> int:
    """The bytes of a size such as ``512 * 2**20``, "512M" or "2 GiB"; units are powers of 1024.

    Args:
        size: What was given.
        name: What it is for, as the error says it.

    Raises:
        ConfigError: It is not a positive size, or more than any system has.
    """
    given = size
    found = _FORM.fullmatch(size.strip()) if isinstance(size, str) else None
    if found:
        size = int(min(float(found[1]) * _UNITS[found[2].upper()], _MOST + 1))
    if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
        raise ConfigError(f'{name} must be a number of bytes or a size such as "512M" or "2G"; it was {size!r}.')
    if size > _MOST:
        raise ConfigError(f"{name} can be {in_words(_MOST)} at most; it was {given!r}.")
    return size


def in_words(size: int) -> str:
    """A size as a reader wants it, as in "512 MiB".

    Args:
        size: In bytes.
    """
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        bound = _UNITS[unit[0]]
        if size >= bound:
            return f"{size / bound:.4g} {unit}"
    return f"{size} bytes"
