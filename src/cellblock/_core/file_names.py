"""Names of files in a kernel's working directory, as a caller may give them."""

from __future__ import annotations

from cellblock.errors import ConfigError

__all__ = ["checked_name"]


def checked_name(name: str) -> tuple[str, ...]:
    """The parts of a name that leads to nowhere else than below the working directory.

    Args:
        name: Relative, with slashes, as in "results/table.csv".

    Raises:
        ConfigError: It leads elsewhere or is none.
    """
    parts = tuple(part for part in name.split("/") if part != ".")
    if name.startswith("/") or not all(parts) or ".." in parts or not parts or any(c in name for c in "\\\0:"):
        raise ConfigError(
            f'A file is named from the kernel\'s working directory, as in "results/table.csv", and not {name!r}.'
        )
    return parts
