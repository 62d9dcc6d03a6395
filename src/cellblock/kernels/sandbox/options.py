"""What a sandbox lets code do: its files, its network, and how much of the machine it may use."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError
from cellblock.kernels.environment import can_be_set
from cellblock.kernels.sandbox import layout
from cellblock.kernels.sandbox.allowed_hosts import AllowedHosts
from cellblock.kernels.sandbox.kinds import check_kinds
from cellblock.kernels.sandbox.shown import Shown, fix
from cellblock.kernels.sandbox.sizes import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellblock.kernels.sandbox.egress import HostRequest

__all__ = ["Limits", "Sandbox"]

_LEAST_MEMORY = 192 * 2**20  # a kernel that has imported nothing needs half of it
_LEAST_PIDS = 32  # its threads count
_MOST_PIDS = 4_194_304  # Linux has no more numbers for them
_LEAST_CPUS = 0.01  # Linux counts processor time in parts of that size
_SYSTEM = """
    /bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /nix /proc /run /sbin /sys /usr
"""
_USERS = tuple(map(Path, ("/dev/shm", "/run/user")))  # noqa: S108 - what is below these is nobody's but who made it
_SHARED = """
    / /home /media /mnt /opt /root /srv /tmp /var /var/cache /var/lib /var/log /var/opt /var/spool /var/tmp
"""
_NEVER_SHOWN = tuple(map(Path, ("/proc", "/sys", "/dev", "/run")))
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the machine the code of one sandbox may use.

    Attributes:
        memory: Bytes, of all its processes together.
        cpus: Processors' worth of time; None for all there are.
        pids: Processes and threads.
        disk: Bytes it may add to the workspace, and of any one file.
    """

    memory: int
    cpus: float | None
    pids: int
    disk: int


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Confines a kernel of this machine: its files, its network and its use of the machine.

    The code sees the system's programs, the kernel's interpreter, a private home, and the workspace as ``/workspace``, its
    working directory. It has no network, none of the caller's environment, and none of the caller's rights.

    Args:
        workspace: A directory that the code may read and write; by default one that is made for the session and removed
            with it. When this process is root, the directory and what is in it is given to a user of its own.
        read_only: Further files and directories the code may read, at their own paths.
        allow_hosts: Hosts it may connect to by https and http: names such as "packages.example", "*.example.net" and
            "localhost:8443", and networks such as "10.0.0.0/8", without which a name for a private address is refused.
        memory: Bytes or a size such as "2G", of all its processes together.
        cpus: How many processors' worth of time it gets; None for all. Where there is no control group for it, that many
            whole processors.
        pids: How many processes and threads it may have.
        disk: Bytes or a size such as "2G" that it may write to the workspace.
        env: Environment variables of the kernel; it gets none of the caller's.
        on_request: Told each host that the code asked for, and whether it was connected, in another thread; must not
            block.

    Attributes:
        shown: What ``read_only`` named when this was made.

    Raises:
        ConfigError: An argument cannot be used.
    """

    workspace: str | os.PathLike[str] | None = None
    read_only: Sequence[str | os.PathLike[str]] = ()
    allow_hosts: Sequence[str] = ()
    memory: int | str = "2G"
    cpus: float | None = None
    pids: int = 256
    disk: int | str = "2G"
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # it may hold secrets
    on_request: Callable[[HostRequest], None] | None = None
    shown: tuple[Shown, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_kinds(self)
        if self.workspace is not None:
            _check_directory(Path(self.workspace))
        for path in self.read_only:
            _check_readable(Path(path))
        object.__setattr__(self, "shown", tuple(map(fix, self.read_only)))
        AllowedHosts(self.allow_hosts)
        _check_environment(self.env)
        _check_limits(self.limits)

    @property
    def limits(self) -> Limits:
        """The limits, as numbers."""
        return Limits(
            memory=parse_size(self.memory, "memory"),
            cpus=self.cpus,
            pids=self.pids,
            disk=parse_size(self.disk, "disk"),
        )


def _check_directory(path: Path) -> None:
    if not path.is_dir():
        raise ConfigError(
            f"The sandbox's workspace must be an existing directory, and {path} is none. Create it first."
        )
    real = path.resolve()
    home = Path.home()
    if real in (home, *home.parents, Path(tempfile.gettempdir()), *map(Path, _SHARED.split())) or _is_the_systems(real):
        raise ConfigError(
            f"The sandbox's workspace cannot be {real}: the code may change all that is in it. Give a directory of the project."
        )


def _is_the_systems(path: Path) -> bool:
    above = (path, *path.parents)
    return any(Path(folder) in above for folder in _SYSTEM.split()) and not any(
        folder in path.parents for folder in _USERS
    )


def _check_readable(path: Path) -> None:
    if not path.exists():
        raise ConfigError(f"read_only names {path}, which does not exist.")
    if not (path.is_dir() or path.is_file()):
        raise ConfigError(
            f"read_only names {path}, which is neither a file nor a directory: a socket or a pipe leads out of the sandbox."
        )
    real = path.resolve()
    if real == Path("/") or any(folder in (real, *real.parents) for folder in _NEVER_SHOWN):
        raise ConfigError(f"read_only cannot name {path}: there are the host's processes, devices and services.")
    for own in map(Path, layout.WRITABLE):
        if any(shown in (own, *own.parents) for shown in (real, Path(os.path.abspath(path)))):  # noqa: PTH100 - as it is named
            raise ConfigError(
                f"read_only cannot name {path}: the sandbox has a {own} of its own. Give the folder in it that the code needs."
            )


def _check_environment(env: Mapping[str, str]) -> None:
    for name, value in env.items():
        # Values may be secrets: no message repeats one.
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ConfigError(f"env has a name that is none of an environment variable: {name!r}.")
        if not isinstance(value, str) or not can_be_set(value):
            raise ConfigError(f"The value of {name} in env must be text without NUL characters and lone surrogates.")


def _check_limits(limits: Limits) -> None:
    if limits.memory < _LEAST_MEMORY:
        raise ConfigError(f'memory must be at least {_LEAST_MEMORY // 2**20}M for a kernel to run; "1G" suits pandas.')
    if limits.cpus is not None and not _is_number(limits.cpus, (int, float), _LEAST_CPUS, sys.float_info.max):
        raise ConfigError(
            f"cpus must be a number from {_LEAST_CPUS} up, as in 0.5 or 2, or None for all; it was {limits.cpus!r}."
        )
    if not _is_number(limits.pids, int, _LEAST_PIDS, _MOST_PIDS):
        raise ConfigError(
            f"pids must be at least {_LEAST_PIDS}, for the kernel's own threads count, and at most {_MOST_PIDS}; "
            f"it was {limits.pids!r}."
        )


def _is_number(value: object, kind: type | tuple[type, ...], least: float, most: float) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and least <= value <= most  # type: ignore[operator]
