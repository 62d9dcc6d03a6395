"""Cases that are after parts of the host's kernel which code of a cell has no use for."""

from __future__ import annotations

import ctypes
import errno
import os
import pty
import socket
import struct

from cellblock.cli.sandbox_cases.case import Cases, Group, Open
from cellblock.cli.sandbox_cases.in_kernel import call, let_through

__all__ = ["SURFACE"]

SURFACE = Cases(Group.SURFACE)


@SURFACE.case()
def filter_of_system_calls() -> str | None:
    """Runs without a filter of system calls."""
    with open("/proc/self/status") as file:
        return next((line.strip() for line in file if line.startswith("Seccomp:") and line.split()[1] == "0"), None)


@SURFACE.case()
def rights_by_starting_programs() -> str | None:
    """Could get rights by starting a program that has them."""
    with open("/proc/self/status") as file:
        return next((line.strip() for line in file if line.startswith("NoNewPrivs:") and line.split()[1] == "0"), None)


@SURFACE.case(open_to=Open.ROOT)
def privileges() -> str | None:
    """Has privileges of root."""
    with open("/proc/self/status") as file:
        return next(
            (
                line.strip()
                for line in file
                if line.startswith(("CapEff:", "CapPrm:", "CapInh:")) and int(line.split()[1], 16)
            ),
            None,
        )


@SURFACE.case(open_to=Open.ROOT)
def being_root() -> str | None:
    """Is root, or may become it."""
    if 0 in os.getresuid():
        return "root"
    os.setuid(0)
    return "became root"


@SURFACE.case()
def new_namespaces() -> str | None:
    """Makes a user namespace, in which it is root, and more within."""
    child = os.fork()
    if child == 0:
        os._exit(1 if call("unshare", 0x10000000)[1] else 0)
    return "a user namespace" if os.waitpid(child, 0)[1] == 0 else None


@SURFACE.case()
def new_namespaces_by_clone() -> str | None:
    """Makes one with the call that starts processes."""
    result, error = call("clone", 0x10000000 | 17, 0, 0, 0, 0)
    if result == 0:
        os._exit(0)
    if error:
        return None
    os.waitpid(result, 0)
    return "a user namespace"


@SURFACE.case()
def new_namespaces_by_clone3() -> str | None:
    """Makes one with the newer call that starts processes, whose arguments a filter cannot see."""
    arguments = struct.pack("=11Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
    result, error = call("clone3", arguments, len(arguments))
    if result == 0:
        os._exit(0)
    if error:
        return None
    os.waitpid(result, 0)
    return "a user namespace"


@SURFACE.case(open_to=Open.ROOT)
def enter_namespaces() -> str | None:
    """Enters a namespace."""
    namespace = os.open("/proc/self/ns/uts", os.O_RDONLY)
    try:
        return let_through("setns", namespace, 0)
    finally:
        os.close(namespace)


@SURFACE.case(open_to=Open.ROOT)
def mount() -> str | None:
    """Mounts a file system."""
    return let_through("mount", b"none", b"/nowhere-at-all", b"tmpfs", 0, 0)


@SURFACE.case(open_to=Open.ROOT)
def mount_by_newer_calls() -> str | None:
    """Mounts one with the newer calls."""
    return let_through("fsopen", b"tmpfs", 0) or let_through("open_tree", -100, b"/", 1)


@SURFACE.case(open_to=Open.ROOT)
def unmount() -> str | None:
    """Takes away what hides a part of the host's files."""
    return let_through("umount2", b"/nowhere-at-all", 0)


@SURFACE.case(open_to=Open.ROOT)
def change_the_root() -> str | None:
    """Changes what it sees as the root of all files."""
    return let_through("chroot", b"/nowhere-at-all") or let_through(
        "pivot_root", b"/nowhere-at-all", b"/nowhere-at-all"
    )


@SURFACE.case()
def trace_a_process() -> str | None:
    """Takes control of another process."""
    child = os.fork()
    if child == 0:
        os._exit(0 if call("ptrace", 0, 0, 0, 0)[1] == 0 else 1)  # PTRACE_TRACEME
    return "traced" if os.waitpid(child, 0)[1] == 0 else None


@SURFACE.case()
def memory_of_another_process() -> str | None:
    """Reads the memory of another process by a call."""
    return let_through("process_vm_readv", os.getppid(), 0, 0, 0, 0, 0)


@SURFACE.case()
def descriptor_of_another_process() -> str | None:
    """Takes an open file from another process."""
    other = os.pidfd_open(os.getpid())
    try:
        return let_through("pidfd_getfd", other, 0, 0)
    finally:
        os.close(other)


@SURFACE.case(open_to=Open.ROOT)
def program_in_the_kernel() -> str | None:
    """Loads a program into the host's kernel."""
    attributes = ctypes.create_string_buffer(struct.pack("=IIIII", 2, 4, 8, 1, 0), 128)  # an array of one number
    return let_through("bpf", 0, attributes, len(attributes))


@SURFACE.case()
def performance_counters() -> str | None:
    """Uses the counters by which other processes can be watched."""
    return let_through("perf_event_open", 0, os.getpid(), -1, -1, 0)


@SURFACE.case()
def requests_past_the_filter() -> str | None:
    """Has the host's kernel do calls for it that no filter sees."""
    return let_through("io_uring_setup", 1, ctypes.create_string_buffer(120))


@SURFACE.case(open_to=Open.ROOT)
def stop_the_kernel_at_a_fault() -> str | None:
    """Stops the host's kernel in the middle of a copy, which attacks on it need."""
    return let_through("userfaultfd", 0)


@SURFACE.case()
def memory_nobody_counts() -> str | None:
    """Takes memory that limits do not see."""
    result, error = call("memfd_secret", 0)
    if not error:
        os.close(result)
    return "secret memory" if not error else None


@SURFACE.case()
def system_v_memory() -> str | None:
    """Takes shared memory that stays when it ends."""
    result, error = call("shmget", 0, 4096, 0o1600)
    if error:
        return None
    call("shmctl", result, 0, 0)  # IPC_RMID
    return "System V shared memory"


@SURFACE.case()
def files_by_handle() -> str | None:
    """Gets handles by which files can be opened past all mounts."""
    return let_through(
        "name_to_handle_at", -100, b"/", ctypes.create_string_buffer(256), ctypes.create_string_buffer(8), 0
    )


@SURFACE.case(open_to=Open.NOBODY)
def modules() -> str | None:
    """Loads a module into the host's kernel, or another kernel."""
    return let_through("finit_module", -1, b"", 0) or let_through("kexec_load", 0, 0, 0, 0)


@SURFACE.case(open_to=Open.ROOT)
def clock() -> str | None:
    """Sets the host's clock."""
    return let_through("clock_settime", 99, 0)


@SURFACE.case(open_to=Open.ROOT)
def host_name() -> str | None:
    """Changes the host's name."""
    name = os.uname().nodename.encode()
    return let_through("sethostname", name, len(name))


@SURFACE.case()
def behaviour_of_old_systems() -> str | None:
    """Makes its memory executable throughout, as on old systems."""
    before, error = call("personality", 0xFFFFFFFF)
    if error or call("personality", before | 0x0400000)[1]:  # READ_IMPLIES_EXEC
        return None
    call("personality", before)
    return "READ_IMPLIES_EXEC"


@SURFACE.case()
def type_into_a_terminal() -> str | None:
    """Puts words into the terminal of whoever looks on."""
    master, slave = pty.openpty()
    try:
        for request in (0x5412, 0x541C):  # TIOCSTI, TIOCLINUX
            call("ioctl", slave, request, b"x")
            if ctypes.get_errno() not in (errno.EPERM, errno.EACCES):
                return f"ioctl {request:#x}: {errno.errorcode.get(ctypes.get_errno(), 'done')}"
    finally:
        os.close(master)
        os.close(slave)
    return None


@SURFACE.case()
def machines_below() -> str | None:
    """Talks to the machine below a virtual one."""
    socket.socket(40, socket.SOCK_STREAM).close()  # AF_VSOCK
    return "a vsock"


@SURFACE.case(open_to=Open.NOBODY)
def cryptography_of_the_kernel() -> str | None:
    """Has the host's kernel calculate, in a part of it that had holes."""
    socket.socket(38, socket.SOCK_SEQPACKET).close()  # AF_ALG
    return "an AF_ALG socket"


@SURFACE.case()
def administration_sockets() -> str | None:
    """Talks to the parts of the host's kernel for firewalls and audits."""
    for protocol in (12, 9, 16):  # netfilter, audit, generic
        try:
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol).close()
        except OSError:
            continue
        return f"netlink protocol {protocol}"
    return None


@SURFACE.case()
def rare_protocols() -> str | None:
    """Uses network protocols that hardly anybody does."""
    for family, kind, protocol in (
        (2, 1, 132),
        (2, 1, 262),
        (30, 1, 0),
        (9, 5, 0),
        (29, 3, 1),
    ):  # SCTP, MPTCP, TIPC, X.25, CAN
        try:
            socket.socket(family, kind, protocol).close()
        except OSError:
            continue
        return f"family {family}, protocol {protocol}"
    return None


@SURFACE.case(open_to=Open.ROOT)
def raw_packets() -> str | None:
    """Reads and writes packets as they are."""
    for family, kind, protocol in ((17, 3, 3), (2, 3, 1)):  # packet sockets, raw IPv4
        try:
            socket.socket(family, kind, protocol).close()
        except OSError:
            continue
        return f"family {family}, kind {kind}"
    return None


@SURFACE.case(open_to=Open.NOBODY)
def calls_of_later_kernels() -> str | None:
    """Makes calls that were not known when the sandbox was written."""
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(457, 700):
        libc.syscall(number, -1, -1, -1, -1, -1, -1)
        if ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM):
            return f"call {number}: {errno.errorcode.get(ctypes.get_errno(), 'done')}"
    return None
