"""Whether the real AutoGen or AG2 is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

__all__ = ["refuse_to_hide_autogen"]

_DISTRIBUTIONS = ("autogen-agentchat", "pyautogen", "ag2", "autogen")


def refuse_to_hide_autogen() -> None:
    """Does nothing if nobody else provides the import name ``autogen``.

    Raises:
        ImportError: Somebody does.
    """
    for name in _DISTRIBUTIONS:
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if any(file.parts[0] == "autogen" for file in found.files or ()):
            raise ImportError(
                f"cellblock-autogen does not hide {name} {found.version}, which provides the import name autogen. "
                f"Uninstall one of the two: `pip uninstall {name}` to run code written for AutoGen 0.2 on cellblock, "
                f"`pip uninstall cellblock-autogen` to use {name}; cellblock's executors work in its agents as well.",
                name="autogen",
            )
