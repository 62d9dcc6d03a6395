"""A virtual environment for blocks to run in."""

from __future__ import annotations

import os
import venv
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import SimpleNamespace

__all__ = ["create_virtual_env"]


class _Builder(venv.EnvBuilder):
    """Keeps the description of the environment it makes."""

    context: SimpleNamespace

    def ensure_directories(self, env_dir: Any) -> SimpleNamespace:
        self.context = super().ensure_directories(env_dir)
        return self.context


def create_virtual_env(
    dir_path: str | os.PathLike[str],
    *,
    with_pip: bool = True,
    system_site_packages: bool = False,
    clear: bool = False,
    symlinks: bool | None = None,
    upgrade: bool = False,
) -> SimpleNamespace:
    """Makes a virtual environment, or takes the one that is there.

    Args:
        dir_path: Its directory.
        with_pip: Whether pip is installed in it.
        system_site_packages: Whether it sees the packages of this interpreter's own environment.
        clear: Whether to empty the directory first.
        symlinks: Whether to link rather than to copy the interpreter; the platform's default if not given.
        upgrade: Whether to fit an existing environment to this interpreter.

    Returns:
        What ``venv.EnvBuilder`` knows of it: ``bin_path``, ``env_exe``, ``env_dir``, … An argument for
        ``LocalCommandLineCodeExecutor``.
    """
    builder = _Builder(
        with_pip=with_pip,
        system_site_packages=system_site_packages,
        clear=clear,
        symlinks=os.name != "nt" if symlinks is None else symlinks,
        upgrade=upgrade,
    )
    builder.create(os.fspath(dir_path))
    return builder.context
