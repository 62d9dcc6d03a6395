"""Which system calls sandboxed code may not make, as data: for bubblewrap as a filter program, for Docker as a profile.

The calls left are those that Python, its scientific packages, compilers and shells make. What is taken away is either of no
use without privileges or gives untrusted code a large or unlimited part of the host's kernel to attack.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONDITIONAL", "MISSING", "MISSING_ERRNO", "REFUSED", "REFUSED_ERRNO", "Condition"]

# Linux's numbers, written out: a profile for Docker may be made on another system.
REFUSED_ERRNO = 1  # EPERM
MISSING_ERRNO = 38  # ENOSYS

_REASONS = {
    "other namespaces and other views of the file system": """
        mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
        unshare setns
    """,
    "other processes' memory and descriptors, and the kernel's programmable parts": """
        ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp bpf perf_event_open
        userfaultfd lookup_dcookie fanotify_init fanotify_mark
    """,
    "files by handle, which passes by every mount": "name_to_handle_at open_by_handle_at",
    "keys, which no namespace parts": "add_key request_key keyctl",
    "the machine": """
        init_module finit_module delete_module create_module get_kernel_syms query_module kexec_load
        kexec_file_load reboot swapon swapoff acct quotactl quotactl_fd syslog iopl ioperm nfsservctl vhangup
        sethostname setdomainname settimeofday clock_settime clock_adjtime adjtimex
    """,
    "memory that limits do not see, and its placement": """
        memfd_secret shmget shmat shmctl shmdt msgget msgsnd msgrcv msgctl remap_file_pages mbind set_mempolicy
        get_mempolicy set_mempolicy_home_node migrate_pages move_pages
    """,
    "left over from earlier times": "uselib ustat sysfs _sysctl modify_ldt",
}
REFUSED = frozenset(name for names in _REASONS.values() for name in names.split())
"""Calls that fail with EPERM whatever their arguments."""

MISSING = frozenset({"clone3", "openat2", "fchmodat2", "io_uring_setup", "io_uring_enter", "io_uring_register"})
"""Calls that fail with ENOSYS, so that callers fall back to an older one whose arguments a filter can see."""


@dataclass(frozen=True, slots=True)
class Condition:
    """That an argument of a call, under a mask, is a value.

    Attributes:
        argument: Its position, from 0.
        value: What it must be.
        mask: The bits that are looked at.
        negated: Whether it must be anything else instead.
    """

    argument: int
    value: int
    mask: int = 0xFFFFFFFF
    negated: bool = False


_SET_ID = 0o6000  # S_ISUID and S_ISGID
_CREATES = 0o100 | 0o20000000  # O_CREAT and the bit that makes O_TMPFILE: only then is the mode looked at
_NEW_NAMESPACE = 0x7E020000  # the CLONE_NEW flags that clone() takes
_TIOCSTI = 0x5412
_TIOCLINUX = 0x541C
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_PROTOCOLS = (0, 1, 6, 17, 58)  # the default, ICMP, TCP, UDP, ICMPv6
_NETLINK_ROUTE = 0
_PERSONALITIES = (0, 0x0040000, 0xFFFFFFFF)  # Linux, without address randomisation (debuggers), and the question


def _no_set_id(mode: int) -> tuple[Condition, ...]:
    return (Condition(mode, 0, _SET_ID),)


def _opens(flags: int) -> tuple[tuple[Condition, ...], ...]:
    return (Condition(flags, 0, _CREATES),), _no_set_id(flags + 1)


CONDITIONAL: dict[str, tuple[tuple[Condition, ...], ...]] = {
    "clone": ((Condition(0, 0, _NEW_NAMESPACE),),),
    # libzmq ends the process when it cannot list network interfaces, so that one netlink protocol stays. The other
    # families reach parts of the host that no network namespace parts (vsock) or rarely used code of its kernel.
    "socket": (
        (Condition(0, _UNIX),),
        *((Condition(0, family), Condition(2, protocol)) for family in (_INET, _INET6) for protocol in _PROTOCOLS),
        (Condition(0, _NETLINK), Condition(2, _NETLINK_ROUTE)),
    ),
    "socketpair": ((Condition(0, _UNIX),),),
    # What the terminal of whoever started us would take for typed.
    "ioctl": ((Condition(1, _TIOCSTI, negated=True), Condition(1, _TIOCLINUX, negated=True)),),
    # A program that runs as its owner is a trap for the host's other users.
    "chmod": (_no_set_id(1),),
    "fchmod": (_no_set_id(1),),
    "fchmodat": (_no_set_id(2),),
    "mknod": (_no_set_id(1),),
    "mknodat": (_no_set_id(2),),
    "creat": (_no_set_id(1),),
    "open": _opens(1),
    "openat": _opens(2),
    "personality": tuple((Condition(0, persona),) for persona in _PERSONALITIES),
}
"""Calls that fail with EPERM unless all conditions of one of the alternatives hold."""
