"""Environment variables that somebody asks for, checked before anything is started with them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["can_be_set", "checked_environment"]


def can_be_set(text: str) -> bool:
    """Whether a system takes a text for a variable's value: no NUL character, and nothing that cannot be written as bytes.

    Args:
        text: The value.
    """
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def checked_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The variables, if all can be set. No message repeats a value: it may be a secret, and the wrong one of the two too.

    Args:
        env: What somebody asked for.

    Raises:
        ConfigError: They are not text, or no system allows a name or a value.
    """
    for name, value in env.items():
        if not isinstance(name, str) or not isinstance(value, str):
            what = name if isinstance(name, str) else f"a name that is {type(name).__name__}"
            raise ConfigError(f"Environment variables must be text: {what} was given as {type(value).__name__}.")
        if not name or "=" in name or not can_be_set(name + value):
            raise ConfigError(
                f"The environment variable {name!r} cannot be set: no system allows its name or its value."
            )
    return dict(env)
