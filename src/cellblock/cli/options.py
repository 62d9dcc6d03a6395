"""Values of options that more than one command has."""

from __future__ import annotations

import math

from cellblock.errors import ConfigError

__all__ = ["checked_seconds"]


def checked_seconds(value: float) -> float:
    """The value of ``--timeout``.

    Raises:
        ConfigError: It is no time.
    """
    if not 0 < value < math.inf:
        raise ConfigError(f"--timeout takes a number of seconds above 0, not {value:g}.")
    return value
