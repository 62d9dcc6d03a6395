"""Files that processes hold although they are in no directory, and what processes have written."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["nameless_files", "written"]

_IN_MEMORY = "/memfd:"
_REMOVED = b" (deleted)"


def nameless_files(processes: Sequence[int], *, in_memory: bool) -> Iterator[os.stat_result]:
    """The regular files in no directory that processes have open or mapped: those made in memory, or the others.

    What is mapped and not open only root can look at.

    Args:
        processes: Their ids.
        in_memory: Which.
    """
    for link in _links(processes):
        with contextlib.suppress(OSError):  # closed meanwhile
            status = link.stat()
            if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
                is_memory = status.st_dev == _memory() or str(link.readlink()).startswith(_IN_MEMORY)
                if is_memory is in_memory:
                    yield status


def written(processes: Sequence[int]) -> int:
    """The bytes that processes, and those of their children that have ended, have written to disks and not taken back.

    Source: proc(5), "io".

    Args:
        processes: Their ids.
    """
    total = 0
    for process in processes:
        with contextlib.suppress(OSError):  # ended meanwhile
            lines = Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines()
            numbers = {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}
            total += numbers["write_bytes"] - numbers["cancelled_write_bytes"]
    return total


@functools.cache
def _memory() -> int:
    """The device of files in memory and of shared memory without a file."""
    file = os.memfd_create("cellblock-device")
    try:
        return os.fstat(file).st_dev
    finally:
        os.close(file)


def _links(processes: Sequence[int]) -> Iterator[Path]:
    """What leads to the files that processes have."""
    for process in processes:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{process}/fd") as descriptors:
            yield from map(Path, descriptors)
        if os.getuid() != 0:
            continue
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/maps").read_bytes().splitlines():
                if line.endswith(_REMOVED):
                    start, end = line.split(None, 1)[0].decode().split("-")
                    yield Path(f"/proc/{process}/map_files/{int(start, 16):x}-{int(end, 16):x}")
