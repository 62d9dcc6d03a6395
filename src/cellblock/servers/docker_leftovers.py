"""Containers that outlived the program that started them: how they are marked, and found and removed.

A container of the bundled image ends with its program by itself. One of a custom image does not when the program is
killed; the next start of a Docker server finds it by its labels.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellblock.servers.docker_engine import connect_engine
from cellblock.servers.owner_process import process_exists

__all__ = ["Cleaned", "Owner", "clean_leftovers", "owner_labels", "remove_leftovers", "this_process"]

_PREFIX = "cellblock.owner."
_KEEP = "cellblock.keep"  # the label of a container that is stopped and not removed


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The names of the containers that were left, and are no more or run no more.

    Attributes:
        removed: Are gone.
        stopped: Were to be kept for a look, and only stopped.
    """

    removed: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """The process a container belongs to.

    Attributes:
        host: Its machine.
        boot: Which boot of the machine; empty where the system does not say.
        namespace: In which its process id counts: containers have their own.
        pid: Its process id.
        started: When it started, in the system's own count, since process ids are used again; empty if not known.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: str

    @classmethod
    def of(cls, labels: dict[str, str]) -> Owner | None:
        """The owner that a container's labels name, if they do."""
        try:
            values = {name: labels[_PREFIX + name] for name in cls.__slots__}
            return cls(**{**values, "pid": int(values["pid"])})  # type: ignore[arg-type]
        except (KeyError, ValueError):
            return None

    def is_gone(self) -> bool:
        """Whether it has surely ended. Of another machine's, or another container's, processes nobody here can tell."""
        here = this_process()
        if sys.platform == "win32" or self.host != here.host:
            return False
        if self.boot != here.boot:
            return True
        if self.namespace != here.namespace:
            return False
        return not process_exists(self.pid) or _start_of(self.pid) != self.started


def owner_labels(*, keep: bool) -> dict[str, str]:
    """The labels of a container that must not outlive this process.

    Args:
        keep: Whether it stays on the engine once it has stopped.
    """
    owner = this_process()
    labels = {_PREFIX + name: str(getattr(owner, name)) for name in owner.__slots__}
    return labels | ({_KEEP: "yes"} if keep else {})


def this_process() -> Owner:
    """This process, as the owner of what it starts."""
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    return Owner(
        host=socket.gethostname(),
        boot=boot.read_text().strip() if boot.exists() else "",
        namespace=str(namespace.readlink()) if namespace.is_symlink() else "",
        pid=os.getpid(),
        started=_start_of(os.getpid()),
    )


def remove_leftovers(client: Any) -> Cleaned:
    """Removes the containers whose owners are gone; those to be kept for a look are only stopped.

    Args:
        client: The engine's.
    """
    from docker.errors import APIError

    removed, stopped = [], []
    for container in client.containers.list(all=True, filters={"label": _PREFIX + "pid"}, ignore_removed=True):
        owner, keep = Owner.of(container.labels), _KEEP in container.labels
        if owner is None or not owner.is_gone() or (keep and container.status != "running"):
            continue
        with suppress(APIError):  # somebody else is removing it
            if keep:
                container.kill()
                stopped.append(container.name)
            else:
                container.remove(force=True)
                removed.append(container.name)
    return Cleaned(tuple(removed), tuple(stopped))


def clean_leftovers() -> Cleaned:
    """Removes the containers of programs that are gone, and gives the containers' names.

    Raises:
        MissingDependency: Docker's SDK is not installed.
        StartError: No engine answers.
    """
    client = connect_engine()
    try:
        return remove_leftovers(client)
    finally:
        client.close()


def _start_of(pid: int) -> str:
    """When a process started, in ticks since boot (Linux: field 22 of /proc/PID/stat, see proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
