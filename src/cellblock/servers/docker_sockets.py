"""The sockets of container engines: who can talk to an engine rules its machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["refuse_sockets"]

_OF_ROOT = ("/var/run/docker.sock", "/run/podman/podman.sock")
_OF_A_USER = ("docker.sock", "podman/podman.sock")  # in the user's runtime folder


def refuse_sockets(sources: Iterable[str]) -> None:
    """Refuses what would show an engine's socket, or a folder around one, to a container.

    Args:
        sources: Files and folders of this machine; what is no absolute path is a volume of the engine's.

    Raises:
        ConfigError: One of them holds such a socket.
    """
    for source in filter(os.path.isabs, sources):
        for socket in _sockets():
            shown, path = Path(source).resolve(), socket.resolve()
            if shown in (path, *path.parents):
                raise ConfigError(
                    f"The volume {source!r} holds {socket}, and who can talk to a container engine rules its machine. "
                    "Leave it out, or pass allow_docker_socket=True."
                )


def _sockets() -> list[Path]:
    """Where an engine may listen, whether or not one does now."""
    sockets = [Path(name) for name in _OF_ROOT]
    if folder := os.environ.get("XDG_RUNTIME_DIR"):
        sockets += [Path(folder, name) for name in _OF_A_USER]
    scheme, _, named = os.environ.get("DOCKER_HOST", "").partition("://")
    return [*sockets, Path(named)] if scheme == "unix" and named else sockets
