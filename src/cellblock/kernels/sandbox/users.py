"""Whose rights a sandbox has: the caller's, mapped, or when the caller is root those of a user of its own."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

from cellblock.errors import SandboxUnavailable
from cellblock.kernels.sandbox.tree import folders

__all__ = ["give_to", "is_sandbox_user", "sandbox_user"]

# Numbers that systemd's list of them leaves unused (https://systemd.io/UIDS-GIDS/), so nobody's.
_NUMBERS = range(1879048192, 2147352576)


def sandbox_user(workspace: Path) -> int | None:
    """The user that a sandbox for this workspace runs as; None for the caller, who is not root.

    A workspace that was a sandbox's before keeps its user, so that sessions can share it.

    Args:
        workspace: An existing directory.

    Raises:
        SandboxUnavailable: This process is root only inside of a container.
    """
    if os.getuid() != 0:
        return None
    _check_all_users_exist()
    owner = workspace.stat().st_uid
    return owner if owner in _NUMBERS else random.SystemRandom().choice(_NUMBERS)


def is_sandbox_user(uid: int) -> bool:
    """Whether a user is one of those that root's sandboxes run as.

    Args:
        uid: The user's number.
    """
    return uid in _NUMBERS


def give_to(uid: int, workspace: Path) -> None:
    """Makes a user the owner of a directory and of all in it, except of files that have a second name elsewhere and of sockets.

    Args:
        uid: Used as the group's number too.
        workspace: The directory.
    """
    for folder in folders(workspace):
        os.fchown(folder.descriptor, uid, uid)
        for entry in folder.entries:
            status = entry.stat(follow_symlinks=False)
            if status.st_nlink == 1 and not (stat.S_ISDIR(status.st_mode) or stat.S_ISSOCK(status.st_mode)):
                os.chown(entry.name, uid, uid, dir_fd=folder.descriptor, follow_symlinks=False)


def _check_all_users_exist() -> None:
    """In a user namespace "root" is one of the host's ordinary users, and there may be no other to become."""
    mapped = [line.split() for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()]
    if mapped != [["0", "0", "4294967295"]]:
        raise SandboxUnavailable(
            "A sandbox was wanted, but this process is root only inside of a container, where a sandbox cannot have a user "
            "of its own. Run it as an ordinary user."
        )
