"""What a caller says of kernels that are to wait: the same for a pool of this process's and for a server's."""

from __future__ import annotations

from collections.abc import Sequence

from cellblock.errors import ConfigError

__all__ = ["checked_pool"]


def checked_pool(size: object, preload: object) -> None:
    """Checks the arguments of a pool.

    Args:
        size: How many kernels wait.
        preload: The packages they have imported.

    Raises:
        ConfigError: They are no such things.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ConfigError(f"The size of a pool must be a number of kernels, such as 4; it was {size!r}.")
    if isinstance(preload, str):
        raise ConfigError(f"preload must be a list of names, as in [{preload!r}].")
    if not isinstance(preload, Sequence) or not all(isinstance(name, str) for name in preload):
        raise ConfigError(f'preload must be a list of names, as in ["numpy"]; it was {preload!r}.')
