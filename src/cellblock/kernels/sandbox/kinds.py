"""Whether a sandbox and its arguments are the kinds of things they must be, before anybody looks at what they say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from cellblock.kernels.sandbox.options import Sandbox

__all__ = ["check_kinds", "checked_sandbox"]


def checked_sandbox(sandbox: object) -> Sandbox:
    """What was given as a sandbox, if it is one.

    Args:
        sandbox: What was given.

    Raises:
        ConfigError: It is none.
    """
    from cellblock.kernels.sandbox.options import Sandbox

    if not isinstance(sandbox, Sandbox):
        raise ConfigError(f'sandbox must be a Sandbox, as in Sandbox(memory="1G"); it was {sandbox!r}.')
    return sandbox


def check_kinds(sandbox: Sandbox) -> None:
    """Checks the kinds of a sandbox's arguments.

    Args:
        sandbox: As its caller wants it.

    Raises:
        ConfigError: One is of another kind; the message says which is wanted.
    """
    if sandbox.workspace is not None and not _is_path(sandbox.workspace):
        raise ConfigError(f"workspace must be a directory's path, or None; it was {sandbox.workspace!r}.")
    _check_list("read_only", "paths", sandbox.read_only, _is_path)
    _check_list("allow_hosts", "names", sandbox.allow_hosts, lambda host: isinstance(host, str))
    if not isinstance(sandbox.env, Mapping):  # what it is instead may hold secrets
        raise ConfigError(f'env must be a dict such as {{"NAME": "value"}}; it was a {type(sandbox.env).__name__}.')
    if sandbox.on_request is not None and not callable(sandbox.on_request):
        raise ConfigError(f"on_request must be a function, or None; it was {sandbox.on_request!r}.")


def _check_list(name: str, what: str, value: object, belongs: Callable[[object], bool]) -> None:
    if isinstance(value, str):
        raise ConfigError(f"{name} must be a list of {what}, as in [{value!r}].")
    if not isinstance(value, Sequence | AbstractSet) or not all(map(belongs, value)):
        raise ConfigError(f"{name} must be a list of {what}; it was {value!r}.")


def _is_path(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, os.PathLike) and isinstance(os.fspath(value), str))
