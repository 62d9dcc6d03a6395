"""The arguments of bubblewrap that build a sandbox.

Source: bwrap(1). Their order matters: each is done after the one before it.
"""

from __future__ import annotations

import functools
import platform
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.kernels.launch import PROGRAM as KERNEL_PROGRAM
from cellblock.kernels.sandbox import layout, protected
from cellblock.kernels.sandbox.find_bubblewrap import find_bubblewrap
from cellblock.kernels.sandbox.seccomp import filter_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellblock.kernels.sandbox.descriptors import Descriptors
    from cellblock.kernels.sandbox.interpreter import Interpreter
    from cellblock.kernels.sandbox.shown import Shown

__all__ = ["UID_INSIDE", "Plan", "command"]

UID_INSIDE = 1000
"""The user that an ordinary user's sandboxed code believes to be."""

# What programs need of /etc: nothing that names the host's users, machines or secrets.
_ETC = """
    ld.so.cache ld.so.conf ld.so.conf.d ssl/certs ssl/openssl.cnf ca-certificates/extracted pki/tls/certs localtime timezone fonts
    mime.types alternatives os-release
"""
_PROC_HIDDEN = """
    kcore keys key-users timer_list kallsyms config.gz cmdline modules iomem ioports latency_stats sched_debug kpagecount
    kpageflags sysrq-trigger
"""
_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@dataclass(frozen=True, slots=True)
class Plan:
    """One sandbox to be built.

    Attributes:
        interpreter: What it needs to run Python.
        workspace: The host's folder that is ``/workspace`` inside.
        read_only: Further files and folders of the host to read.
        hidden: Sockets and pipes of the host, by their real paths, that nobody inside is to reach.
        uid: The user number to drop to when this process is root; None for an ordinary user.
    """

    interpreter: Interpreter
    workspace: Path
    read_only: tuple[Shown, ...]
    hidden: tuple[Path, ...]
    uid: int | None

    @property
    def uid_inside(self) -> int:
        """The user number the code sees."""
        return UID_INSIDE if self.uid is None else self.uid


def command(plan: Plan, passed: Descriptors, *, joined: bool = False) -> list[str]:
    """The command that builds a sandbox, up to what is to run in it.

    Args:
        plan: What to build.
        passed: Gets what the command must inherit. The arguments are there too: the command itself is for all to see.
        joined: Whether the kernel comes in from outside. The first process needs no rights then.

    Raises:
        SandboxUnavailable: There is no bubblewrap here that can.
    """
    built = [
        *_namespaces(plan.uid, joined=joined),
        *_common(),
        *_etc_files(plan.uid_inside, passed),
        *_host_folders(plan),
        *("--remount-ro", "/dev", "--remount-ro", "/proc", "--remount-ro", "/"),
        *("--setenv", "LANG", "C.UTF-8", "--chdir", "/"),
        *("--seccomp", str(passed.file(filter_program(platform.machine())))),
    ]
    return [find_bubblewrap(), "--args", str(passed.file("\0".join(built).encode()))]


def _namespaces(uid: int | None, *, joined: bool) -> list[str]:
    if uid is None:
        inside = str(UID_INSIDE)
        rights = ["--unshare-user", "--disable-userns", "--uid", inside, "--gid", inside, "--cap-drop", "ALL"]
    else:
        # Without a user namespace, in which root's files would still be the code's own. What is needed to become another
        # user once everything is mounted is given up there.
        rights = ["--cap-drop", "ALL"]
        for capability in () if joined else ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            rights += ["--cap-add", capability]
    parted = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--unshare-net"]
    return [*rights, *parted, "--hostname", "cell", "--new-session", "--as-pid-1", "--clearenv"]


@functools.cache
def _common() -> tuple[str, ...]:
    """What all sandboxes of this machine have."""
    return (*_system(), *_etc(), *_kernel_folders(), *_memory_folders())


def _system() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _SYSTEM_FOLDERS:
        folder = Path("/", name)
        if folder.is_symlink():
            yield from ("--symlink", str(folder.readlink()), str(folder))
        elif folder.is_dir():
            yield from ("--ro-bind", str(folder), str(folder))
    if Path("/nix/store").exists():
        yield from ("--ro-bind", "/nix/store", "/nix/store")


def _etc() -> Iterator[str]:
    yield from ("--perms", "0755", "--dir", "/etc")
    for path in (Path("/etc", name) for name in _ETC.split()):
        yield from _parents(path) if path.exists() else ()
        if path.is_dir():
            yield from ("--ro-bind", str(path), str(path))


def _etc_files(uid: int, passed: Descriptors) -> Iterator[str]:
    """Copies, in what is read-only in the end: each mount more would take a tenth of a millisecond, at each start."""
    copied = {name: Path("/etc", name).read_bytes() for name in _ETC.split() if Path("/etc", name).is_file()}
    made_up = {name: content.encode() for name, content in _made_up(uid).items()}
    for name, content in (copied | made_up).items():
        yield from ("--perms", "0444", "--file", str(passed.file(content)), f"/etc/{name}")


def _made_up(uid: int) -> dict[str, str]:
    """Files of /etc that programs read and that must not say anything of the host."""
    return {
        "passwd": f"{layout.USER}:x:{uid}:{uid}::{layout.HOME}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
        "group": f"{layout.USER}:x:{uid}:\nnogroup:x:65534:\n",
        "hosts": "127.0.0.1 localhost cell\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "resolv.conf": "",
        "machine-id": "0" * 32 + "\n",
        "hostname": "cell\n",
    }


def _kernel_folders() -> Iterator[str]:
    yield from ("--proc", "/proc", "--dev", "/dev")
    for file in (Path("/proc", name) for name in _PROC_HIDDEN.split()):
        # What only root may read is closed anyway, for nobody inside is root.
        if file.exists() and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            yield from ("--ro-bind", "/dev/null", str(file))
    processors = "/sys/devices/system/cpu"  # how many there are, which libraries look up
    if Path(processors).exists():
        yield from (*_parents(Path(processors)), "--ro-bind", processors, processors)


def _memory_folders() -> Iterator[str]:
    # Open to everybody: there is nobody else inside, and root's sandboxes change users late.
    for folder, size in layout.MEMORY_FOLDERS.items():
        yield from (*_parents(Path(folder)), "--perms", "1777", "--size", str(size * 2**20), "--tmpfs", folder)


def _host_folders(plan: Plan) -> Iterator[str]:
    workspace = plan.workspace.resolve()
    yield from ("--bind", str(workspace), layout.WORKSPACE)
    # What is read-only at its own path must not be writable as a part of the workspace, nor be moved away from there: it may
    # be the interpreter that the host's user will run next. What something is mounted on cannot be renamed.
    kept = protected.places(
        workspace, [*protected.run_by_the_host(plan.interpreter), *(shown.real for shown in plan.read_only)]
    )
    for folder in protected.ways(workspace, kept):
        yield from ("--bind", str(folder), _inside(folder, workspace))
    for folder in plan.interpreter.folders:
        yield from (*_parents(folder), "--ro-bind", str(folder), str(folder))
    for shown in plan.read_only:
        yield from (*_parents(shown.path), "--ro-bind", str(shown.real), str(shown.path))
    for place in kept:
        yield from ("--ro-bind", str(place), _inside(place, workspace))
    for link, target in plan.interpreter.links:
        yield from (*_parents(link), "--symlink", target, str(link))
    yield from (*_parents(Path(layout.PROGRAM)), "--ro-bind", str(KERNEL_PROGRAM), layout.PROGRAM)
    for door in plan.hidden:
        for name in _names(door, plan):
            yield from ("--ro-bind", "/dev/null", name)


def _names(path: Path, plan: Plan) -> Iterator[str]:
    """What a file of the host is called inside, by its real path."""
    places = [
        (plan.workspace.resolve(), Path(layout.WORKSPACE)),
        *((folder.resolve(), folder) for folder in plan.interpreter.folders),
        *((shown.real, shown.path) for shown in plan.read_only),
    ]
    for real, name in places:
        if real in path.parents:
            yield str(name / path.relative_to(real))


def _inside(path: Path, workspace: Path) -> str:
    return f"{layout.WORKSPACE}/{path.relative_to(workspace)}"


@functools.lru_cache
def _parents(path: Path) -> tuple[str, ...]:
    """Makes the folders above a path, readable for all: bubblewrap would make them for their owner only."""
    made = [parent for parent in reversed(path.parents[:-1]) if not parent.is_relative_to("/usr")]
    return tuple(word for parent in made for word in ("--perms", "0755", "--dir", str(parent)))
