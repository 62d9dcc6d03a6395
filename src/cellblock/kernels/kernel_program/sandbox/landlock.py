"""Landlock: what the calling process and all it starts may do with files, held by the kernel without namespaces.

Source: landlock(7) and ``linux/landlock.h``.
"""

from __future__ import annotations

import ctypes
import os

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all machines
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1

_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, list a directory
_DEVICES = 1 << 6 | 1 << 11  # make a character or block device
_RIGHTS = (
    (1, (1 << 13) - 1),
    (2, 1 << 13),
    (3, 1 << 14),
    (5, 1 << 15),
)  # with which ABI what came: refer, truncate, ioctl
_SCOPES = 1 << 0 | 1 << 1  # ABI 6: abstract unix sockets, signals

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """The version of the kernel's Landlock; 0 if it has none."""
    return max(0, _libc.syscall(_CREATE_RULESET, None, 0, _VERSION))


def restrict(writable: list[str]) -> None:
    """Leaves reading and running everywhere, writing beneath some directories, and no devices to be made.

    Args:
        writable: The directories.

    Raises:
        OSError: The kernel refuses; ENOSYS or EOPNOTSUPP if it has no Landlock.
    """
    version = abi()
    handled = sum(rights for since, rights in _RIGHTS if version >= since)
    attributes = _Ruleset(handled, 0, _SCOPES if version >= 6 else 0)
    size = ctypes.sizeof(_Ruleset) if version >= 6 else 8  # an older kernel refuses what it does not know
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0))
    _allow(ruleset, "/", _READ)
    for path in writable:
        _allow(ruleset, path, handled & ~_DEVICES)
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = _PathBeneath(rights, parent)
    _checked(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
    os.close(parent)


def _checked(answer: int) -> int:
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return answer
