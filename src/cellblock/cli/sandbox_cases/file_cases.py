"""Cases that are after the host's files, or leave something in the workspace that does harm outside."""

from __future__ import annotations

import ctypes
import glob
import os
import socket
import stat
import struct
import sys

from cellblock.cli.sandbox_cases.case import Cases, Group, Open
from cellblock.cli.sandbox_cases.in_kernel import NUMBERS, WORLD, call

__all__ = ["FILES"]

FILES = Cases(Group.FILES)


@FILES.case()
def write_outside() -> str | None:
    """Changes a file of the host's user."""
    with open(WORLD["outside_file"], "a") as file:
        file.write("changed")
    return str(WORLD["outside_file"])


@FILES.case()
def write_to_home() -> str | None:
    """Puts a file into the home of the host's user, where a shell would run it."""
    with open(f"{WORLD['home']}/.cellblock-was-here", "w") as file:
        file.write("echo")
    return file.name


@FILES.case(open_to=Open.ROOT)
def change_the_interpreter() -> str | None:
    """Puts a module among the packages that the host's user will import."""
    for folder in sys.path:
        if folder.endswith("site-packages"):
            with open(f"{folder}/cellblock_was_here.py", "w") as file:
                file.write("")
            os.unlink(file.name)
            return file.name
    return None


@FILES.case()
def change_the_interpreter_by_the_workspace() -> str | None:
    """Does so where the environment is in the workspace, by the path it has there."""
    for folder in glob.glob("**/environment/lib/python*/site-packages", recursive=True):
        with open(f"{folder}/cellblock_was_here.py", "w") as file:
            file.write("")
        return file.name
    return None


@FILES.case()
def put_another_in_the_interpreters_place() -> str | None:
    """Moves the folder away in which the environment is, and puts an environment of its own in its place."""
    for folder in glob.glob("**/environment", recursive=True):
        for place in (folder, os.path.dirname(folder)):
            try:
                os.rename(place, f"{place}-moved")
            except OSError:
                continue
            os.makedirs(folder)
            return folder
    return None


@FILES.case(open_to=Open.ROOT)
def change_the_kernels_program() -> str | None:
    """Changes the program that every kernel is started with."""
    folder = os.path.dirname(os.path.abspath(sys.modules["cellblock_kernel_app"].__file__ or ""))
    with open(f"{folder}/cellblock_was_here.py", "w") as file:
        file.write("")
    os.unlink(file.name)
    return file.name


@FILES.case(open_to=Open.ROOT)
def change_the_system() -> str | None:
    """Puts files into folders of the system."""
    for folder in ("/usr/local/bin", "/etc", "/usr", "/", "/run", "/var/tmp/..", "/dev", "/sys", "/proc/sys/kernel"):
        try:
            with open(f"{folder}/cellblock-was-here", "w") as file:
                file.write("")
            os.unlink(file.name)
            return file.name
        except OSError:
            continue
    return None


@FILES.case(open_to=Open.ROOT)
def run_at_a_crash() -> str | None:
    """Names a program that the host's kernel runs as root when a process crashes."""
    pattern = "/proc/sys/kernel/core_pattern"
    with open(pattern) as file:
        before = file.read()
    with open(pattern, "w") as file:
        file.write(before)
    return pattern


@FILES.case(open_to=Open.ROOT)
def run_at_an_empty_group() -> str | None:
    """Opens the file that names a program which the host's kernel runs as root when a control group empties."""
    for file in (
        *glob.glob("/sys/fs/cgroup/*/release_agent"),
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/kernel/uevent_helper",
    ):
        try:
            os.close(os.open(file, os.O_WRONLY))
            return file
        except OSError:
            continue
    return None


@FILES.case(open_to=Open.NOBODY)
def press_keys_of_the_machine() -> str | None:
    """Opens the file by which the machine can be made to restart."""
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return "/proc/sysrq-trigger"


@FILES.case(open_to=Open.ROOT)
def make_a_device() -> str | None:
    """Makes a device, through which it could reach the machine's memory or disks."""
    os.mknod("memory", 0o600 | stat.S_IFCHR, os.makedev(1, 1))
    os.unlink("memory")
    return "the device of the machine's memory"


@FILES.case(open_to=Open.ROOT)
def open_a_disk() -> str | None:
    """Opens a disk of the host."""
    for name in os.listdir("/dev"):
        try:
            if stat.S_ISBLK(os.stat(f"/dev/{name}").st_mode):
                os.close(os.open(f"/dev/{name}", os.O_RDONLY))
                return f"/dev/{name}"
        except OSError:
            continue
    return None


@FILES.case()
def program_with_its_owners_rights() -> str | None:
    """Leaves a program that runs with its owner's rights, whoever starts it."""
    with open("program", "w") as file:
        file.write("#!/bin/sh\n")
    os.chmod("program", 0o4755)
    return "a set-uid file" if os.stat("program").st_mode & stat.S_ISUID else None


@FILES.case()
def program_made_with_its_owners_rights() -> str | None:
    """Makes such a program at once, without changing its mode."""
    os.umask(0)
    os.close(os.open("made-program", os.O_CREAT | os.O_WRONLY, 0o6755))
    return "a set-uid file" if os.stat("made-program").st_mode & stat.S_ISUID else None


@FILES.case()
def program_made_by_a_newer_call() -> str | None:
    """Makes such a program by calls whose arguments a filter cannot see, or that are new."""
    how = struct.pack("=QQQ", os.O_CREAT | os.O_WRONLY, 0o4755, 0)
    call("openat2", -100, b"newer-program", how, len(how))
    with open("newest-program", "w"):
        pass
    call("fchmodat2", -100, b"newest-program", 0o4755, 0)
    for name in ("newer-program", "newest-program"):
        if os.path.exists(name) and os.stat(name).st_mode & stat.S_ISUID:
            return name
    return None


@FILES.case(open_to=Open.NOBODY)
def program_by_the_other_convention() -> str | None:
    """Makes such a program by a call as 32-bit programs make it, which has another number."""
    with open("old-program", "w"):
        pass
    child = os.fork()
    if child == 0:
        x32 = 0x40000000  # of x86_64; elsewhere a number that no call has
        ctypes.CDLL(None).syscall(NUMBERS["chmod"] | x32 if "chmod" in NUMBERS else x32, b"old-program", 0o4755)
        os._exit(0)
    os.waitpid(child, 0)
    return "a set-uid file" if os.stat("old-program").st_mode & stat.S_ISUID else None


@FILES.case()
def second_name_of_a_file() -> str | None:
    """Gives a file of the host a second name in the workspace."""
    os.link(WORLD["secret_file"], "second-name")
    return "a hard link to it"


@FILES.case(open_to=Open.NOBODY)
def link_to_a_file() -> str | None:
    """Leaves links to files of the host, for whoever takes results from the workspace."""
    for name in ("taken-link", "taken/deeper/link"):
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        os.symlink(WORLD["secret_file"], name)
    os.symlink(os.path.dirname(WORLD["secret_file"]), "taken-folder")
    return None  # what matters is what comes of it outside


@FILES.case(open_to=Open.NOBODY)
def link_in_the_way_of_an_upload() -> str | None:
    """Leaves links to files of the host where the host will put a file."""
    os.symlink(WORLD["outside_file"], "uploaded")
    os.symlink(os.path.dirname(WORLD["outside_file"]), "uploads")
    return None


@FILES.case(open_to=Open.NOBODY)
def pipe_among_the_results() -> str | None:
    """Leaves a pipe that whoever opens it waits for, a socket and a file without end."""
    os.mkfifo("taken-pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("taken-socket")
    os.symlink("/dev/zero", "taken-zeros")
    with open("taken-sparse", "w") as file:
        os.truncate(file.fileno(), 48 * 2**20)
    return None
