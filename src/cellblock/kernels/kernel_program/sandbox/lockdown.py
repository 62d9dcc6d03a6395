"""Taking rights away from the calling process and all it will start (Linux), and looking whether they are gone."""

from __future__ import annotations

import ctypes
import os
import resource

import landlock

_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 22, 23, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION = 0x20080522
_SECCOMP_MODE_FILTER = 2
_INSTRUCTION = 8  # bytes

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


class Refused(Exception):
    """The confinement asked for cannot be had; its text says why."""


def become(uid: int | None) -> None:
    """Becomes a user and gives up every privilege; with None only the second.

    Args:
        uid: Used as the group's number too.
    """
    _drop_bounding_set()
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _call(_libc.prctl, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _call(_libc.capset, header, (ctypes.c_uint32 * 6)())
    _call(_libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def filter_calls(program: bytes) -> None:
    """Loads a filter of system calls, which needs what ``become`` does.

    Args:
        program: Its instructions (seccomp(2)); without any there is nothing to load.
    """
    if not program:
        return
    loaded = _Program(len(program) // _INSTRUCTION, program)
    _call(_libc.prctl, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(loaded), 0, 0)


def limit(rlimits: dict[str, int], processors: list[int] | None) -> None:
    """Sets resource limits, soft and hard alike, and the processors to run on."""
    for name, value in rlimits.items():
        number = getattr(resource, f"RLIMIT_{name}")
        _, most = resource.getrlimit(number)
        bounded = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(number, (bounded, bounded))
    if processors is not None:
        os.sched_setaffinity(0, processors)


def hide() -> None:
    """Closes this process's memory and descriptors to other processes of its user."""
    _call(_libc.prctl, _PR_SET_DUMPABLE, 0, 0, 0, 0)


def confine(writable: list[str]) -> None:
    """Adds Landlock and checks that nothing is left of what this process could do.

    Args:
        writable: Directories that may be written to; all else may be read.

    Raises:
        Refused: Something is left.
    """
    landlock.restrict(writable)
    _call(_libc.prctl, _PR_SET_DUMPABLE, 1, 0, 0, 0)  # what it is to start with: its own files in /proc are its own
    status = _own_status()
    held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[name], 16)]
    if held:
        raise Refused(f"The sandbox would run with privileges ({', '.join(held)}).")
    if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
        raise Refused("The sandbox would run without its filter of system calls.")
    if "0" in status["Uid"].split():
        raise Refused("The sandbox would run as root.")


def _drop_bounding_set() -> None:
    capability = 0
    while (held := _libc.prctl(_PR_CAPBSET_READ, capability, 0, 0, 0)) >= 0:
        if held:
            _call(_libc.prctl, _PR_CAPBSET_DROP, capability, 0, 0, 0)
        capability += 1


def _own_status() -> dict[str, str]:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - pathlib costs milliseconds
        return dict(line.rstrip("\n").replace("\t", "").split(":", 1) for line in file)


def _call(function: object, *arguments: object) -> None:
    assert callable(function)
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
