"""Cases that are after what the host and other sessions keep to themselves."""

from __future__ import annotations

import glob
import json
import os
import socket
import stat
from pathlib import Path

from cellblock.cli.sandbox_cases.case import Cases, Group, Open
from cellblock.cli.sandbox_cases.in_kernel import WORLD, call, connects, content, processes

__all__ = ["SECRETS"]

SECRETS = Cases(Group.SECRETS)


@SECRETS.case()
def own_environment() -> str | None:
    """Reads the variables of whoever started the session from its own environment."""
    return next((name for name, value in os.environ.items() if WORLD["token"] in value), None)


@SECRETS.case()
def environments_of_processes() -> str | None:
    """Reads them from the processes it can see."""
    for process in processes():
        try:
            if WORLD["token"].encode() in content(f"/proc/{process}/environ", 2**20):
                return f"/proc/{process}/environ"
        except OSError:
            continue
    return None


@SECRETS.case()
def environments_of_threads() -> str | None:
    """Reads them from the threads of the processes it can see."""
    for file in glob.glob("/proc/[0-9]*/task/*/environ"):
        try:
            if WORLD["token"].encode() in content(file, 2**20):
                return file
        except OSError:
            continue
    return None


@SECRETS.case()
def command_lines() -> str | None:
    """Reads what the host's processes were started with."""
    for process in processes():
        if WORLD["spoken"].encode() in content(f"/proc/{process}/cmdline", 2**16):
            return f"/proc/{process}/cmdline"
    return None


@SECRETS.case()
def file_of_the_user() -> str | None:
    """Reads a file that only the host's user may read."""
    return "its content" if WORLD["token"].encode() in content(WORLD["secret_file"]) else None


@SECRETS.case()
def folder_of_the_user() -> str | None:
    """Lists the home of the host's user."""
    seen = set(os.listdir(WORLD["home"])) & set(WORLD["in_home"])
    return str(sorted(seen)[:5]) if seen else None


@SECRETS.case()
def file_through_a_process() -> str | None:
    """Reads a file of the host through the view that another process has of the files."""
    for process in processes():
        try:
            if WORLD["token"].encode() in content(f"/proc/{process}/root{WORLD['secret_file']}"):
                return f"/proc/{process}/root"
        except OSError:
            continue
    return None


@SECRETS.case()
def file_above_the_root() -> str | None:
    """Climbs out of its view of the files by way of ".." and an open directory."""
    here = os.open("/", os.O_RDONLY)
    for _ in range(20):
        above = os.open("..", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = above
    try:
        found = os.open(WORLD["secret_file"].lstrip("/"), os.O_RDONLY, dir_fd=here)
    finally:
        os.close(here)
    with os.fdopen(found, "rb") as file:
        return "its content" if WORLD["token"].encode() in file.read() else None


@SECRETS.case(open_to=Open.ROOT)
def passwords() -> str | None:
    """Reads the host's password hashes."""
    return content("/etc/shadow").decode()[:20] or None


@SECRETS.case()
def users() -> str | None:
    """Reads who has an account on the host."""
    return "the host's /etc/passwd" if content("/etc/passwd", 2**20).decode() == WORLD["passwd"] else None


@SECRETS.case()
def name_of_the_host() -> str | None:
    """Learns the host's name."""
    said = (os.uname().nodename, socket.gethostname(), content("/etc/hostname").decode().strip())
    return next((name for name in said if name == WORLD["hostname"]), None)


@SECRETS.case()
def machine_id() -> str | None:
    """Reads the number that identifies the host."""
    return next(
        (
            file
            for file in ("/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid")
            if Path(file).exists() and content(file).decode().strip() in WORLD["ids"]
        ),
        None,
    )


@SECRETS.case()
def file_of_another_session() -> str | None:
    """Reads from the workspace of another session."""
    return "its content" if WORLD["token"].encode() in content(WORLD["neighbours_file"]) else None


@SECRETS.case()
def keys_of_sessions() -> str | None:
    """Finds files with the keys of kernels."""
    folders = (WORLD["temporary"], "/tmp", f"{WORLD['home']}/.local/share/jupyter/runtime", "/run", "/workspace")
    for folder in folders:
        for file in (*glob.glob(f"{folder}/*.json"), *glob.glob(f"{folder}/*/*.json")):
            try:
                if "key" in json.loads(content(file, 2**16)):
                    return file
            except (OSError, ValueError):
                continue
    return None


@SECRETS.case(open_to=Open.NOBODY)
def descriptors_left_open() -> str | None:
    """Finds a directory or a named file of the host among its open descriptors."""
    for name in os.listdir("/proc/self/fd"):
        try:
            status, target = os.fstat(int(name)), os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink):
            return f"{name}: {target}"
    return None


@SECRETS.case(open_to=Open.ROOT)
def memory_of_processes() -> str | None:
    """Opens the memory of a process of the host."""
    with open(f"/proc/{WORLD['sentinel']}/mem", "rb"):
        return f"/proc/{WORLD['sentinel']}/mem"


@SECRETS.case()
def unix_socket() -> str | None:
    """Connects to a service of the host by the path of its socket, as to Docker or an agent that holds keys."""
    return connects(socket.AF_UNIX, WORLD["unix_socket"])


@SECRETS.case()
def unix_socket_in_the_workspace() -> str | None:
    """Connects to a service of the host whose socket is in the workspace."""
    return connects(socket.AF_UNIX, "service") if os.path.exists("service") else None


@SECRETS.case()
def unix_socket_that_may_be_read() -> str | None:
    """Connects to one whose socket is in a folder that it may only read."""
    found = glob.glob("*/environment/service")
    return connects(socket.AF_UNIX, found[0]) if found else None


@SECRETS.case()
def abstract_socket() -> str | None:
    """Connects to a service of the host by an abstract socket, which has no path."""
    return connects(socket.AF_UNIX, "\0" + WORLD["abstract_socket"])


@SECRETS.case()
def shared_memory() -> str | None:
    """Reads shared memory of the host."""
    return "its content" if WORLD["token"].encode() in content(f"/dev/shm/{WORLD['shared_memory']}") else None


@SECRETS.case()
def kernel_symbols() -> str | None:
    """Reads how the host's kernel is configured or where its symbols are."""
    for file in ("/proc/config.gz", "/proc/kallsyms", "/proc/modules", "/proc/cmdline"):
        try:
            if content(file):
                return file
        except OSError:
            continue
    return None


@SECRETS.case(open_to=Open.ROOT)
def kernel_log() -> str | None:
    """Reads the log of the host's kernel."""
    if call("syslog", 10, 0, 0)[1] == 0:  # SYSLOG_ACTION_SIZE_BUFFER
        return "syslog"
    with open("/dev/kmsg", "rb"):
        return "/dev/kmsg"


@SECRETS.case(open_to=Open.NOBODY)
def physical_memory() -> str | None:
    """Opens the memory of the whole machine."""
    for file in ("/proc/kcore", "/dev/mem", "/dev/port"):
        try:
            if content(file, 1):
                return file
        except OSError:
            continue
    return None


@SECRETS.case()
def keyring() -> str | None:
    """Puts a key into the kernel's keyrings, which all sessions of a user share."""
    result, error = call("add_key", b"user", b"cellblock", b"x", 1, -3)  # the process's own keyring
    return f"key {result}" if not error else None
