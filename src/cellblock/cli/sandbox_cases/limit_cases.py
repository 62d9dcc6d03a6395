"""Cases that are after more of the machine than a sandbox's share; those without one stop before they do harm."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import socket
import threading
import time

from cellblock.cli.sandbox_cases.case import Cases, Group, Open
from cellblock.cli.sandbox_cases.in_kernel import WORLD, call

__all__ = ["LIMITS"]

LIMITS = Cases(Group.LIMITS)


@LIMITS.case(last=True)
def many_processes() -> str | None:
    """Starts processes without end."""
    children: list[int] = []
    try:
        while len(children) < WORLD["pids"] * 2:
            child = os.fork()
            if child == 0:
                time.sleep(30)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, 9)
    return f"{len(children)} processes"


@LIMITS.case(last=True)
def processes_that_start_processes() -> str | None:
    """Starts processes that start processes."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    if os.fork() == 0:
        for _ in range(9):  # 512 at most, of which each says that it is there
            try:
                os.fork()
            except OSError:
                break
        os.write(write, b"x")
        time.sleep(3)
        os._exit(0)
    time.sleep(2)
    there = len(os.read(read, 10_000))
    return f"{there} processes" if there > WORLD["pids"] else None


@LIMITS.case(last=True)
def many_threads() -> str | None:
    """Starts threads without end."""
    threading.stack_size(2**16)
    done = threading.Event()
    started = 0
    try:
        while started < WORLD["pids"] * 2:
            threading.Thread(target=done.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        return None
    finally:
        done.set()
    return f"{started} threads"


@LIMITS.case(last=True)
def memory() -> str | None:
    """Takes more memory than it may."""
    held = []
    for _ in range(WORLD["memory"] // 2**24 * 2):
        held.append(b"x" * 2**24)
    return f"{len(held) * 16} MiB"


@LIMITS.case(last=True)
def memory_of_many_processes() -> str | None:
    """Takes more memory than it may with processes that take a little too much each."""
    read, write = os.pipe()
    for _ in range(6):
        if os.fork() == 0:
            held = b"x" * (WORLD["memory"] // 3)
            os.write(write, b"x")
            time.sleep(2)
            os._exit(len(held) & 1)
    os.close(write)
    there = 0
    while there < 6:
        said = os.read(read, 6)
        if not said:
            return None  # the others are gone
        there += len(said)
    return f"6 processes with {WORLD['memory'] // 3 // 2**20} MiB each"


@LIMITS.case(last=True)
def memory_that_is_a_file() -> str | None:
    """Takes more memory than it may by files in memory that have no name."""
    files = [os.memfd_create(str(number)) for number in range(8)]
    for file in files:
        for _ in range(WORLD["memory"] // 4 // 2**20):
            os.write(file, bytes(2**20))
    time.sleep(1)
    return f"{len(files)} files of {WORLD['memory'] // 4 // 2**20} MiB"


@LIMITS.case(last=True)
def memory_that_is_shared() -> str | None:
    """Takes more memory than it may by mapping it as shared, which a limit of its own data does not count."""
    regions = [mmap.mmap(-1, WORLD["memory"] // 4) for _ in range(8)]
    for region in regions:
        for at in range(0, len(region), 4096):
            region[at] = 1
    time.sleep(1)
    return f"{len(regions)} regions of {WORLD['memory'] // 4 // 2**20} MiB"


@LIMITS.case(last=True)
def memory_as_files_in_memory_folders() -> str | None:
    """Fills the folders whose files are in memory."""
    written = 0
    for folder in ("/dev/shm", "/tmp", os.path.expanduser("~"), "/run", "/"):
        try:
            with open(f"{folder}/cellblock-filler", "wb") as file:
                while written < WORLD["memory"] * 2:
                    written += file.write(bytes(2**20))
        except OSError:
            continue
        finally:
            if os.path.exists(f"{folder}/cellblock-filler") and WORLD["is_plain"]:
                os.unlink(f"{folder}/cellblock-filler")
    return f"{written >> 20} MiB" if written >= WORLD["memory"] * 2 else None


@LIMITS.case(open_to=Open.ROOT)
def locked_memory() -> str | None:
    """Locks memory, so that it cannot be swapped out."""
    size = 2**26
    region = mmap.mmap(-1, size)
    address = ctypes.addressof(ctypes.c_char.from_buffer(region))
    result, error = call("mlock", ctypes.c_void_p(address), ctypes.c_size_t(size))
    return f"{size >> 20} MiB" if not error and result == 0 else None


@LIMITS.case(last=True)
def disk() -> str | None:
    """Fills the disk with a file."""
    with open("filler", "wb") as file:
        for _ in range(WORLD["disk"] // 2**20 * 2):
            file.write(bytes(2**20))
    return f"{os.path.getsize('filler') >> 20} MiB"


@LIMITS.case(last=True)
def disk_with_many_files() -> str | None:
    """Fills the disk with files that are each as large as a file may be."""
    for number in range(8):
        with open(f"filler-{number}", "wb") as file:
            for _ in range(WORLD["disk"] // 2 // 2**20):
                file.write(bytes(2**20))
    time.sleep(1)
    return f"8 files of {WORLD['disk'] // 2 >> 20} MiB"


@LIMITS.case(last=True)
def disk_with_files_without_a_name() -> str | None:
    """Fills the disk with files that it has removed but not closed."""
    files = []
    for number in range(8):
        file = open(f"nameless-{number}", "wb")  # noqa: SIM115 - to be left open
        os.unlink(file.name)
        files.append(file)
        for _ in range(WORLD["disk"] // 2 // 2**20):
            file.write(bytes(2**20))
        file.flush()
    time.sleep(1)
    return f"{len(files)} files of {WORLD['disk'] // 2 >> 20} MiB"


@LIMITS.case(last=True)
def disk_with_files_that_are_only_mapped() -> str | None:
    """Fills the disk with files that it has removed and closed, but mapped."""
    held = []
    for number in range(8):
        file = os.open(f"mapped-{number}", os.O_RDWR | os.O_CREAT)
        os.unlink(f"mapped-{number}")
        for _ in range(WORLD["disk"] // 2 // 2**20):
            os.write(file, bytes(2**20))
        call("mmap", None, ctypes.c_size_t(4096), 1, 1, file, 0)  # the module would keep a descriptor
        os.close(file)
        held.append(file)
    time.sleep(1)
    return f"{len(held)} files of {WORLD['disk'] // 2 >> 20} MiB"


@LIMITS.case(last=True)
def disk_with_files_on_their_way() -> str | None:
    """Fills the disk with files that it has removed and closed, but sent to a socket that nobody reads."""
    kept = socket.socketpair()
    for number in range(8):
        file = os.open(f"sent-{number}", os.O_RDWR | os.O_CREAT)
        os.unlink(f"sent-{number}")
        for _ in range(WORLD["disk"] // 2 // 2**20):
            os.write(file, bytes(2**20))
        socket.send_fds(kept[0], [b"x"], [file])
        os.close(file)
    time.sleep(1)
    return f"8 files of {WORLD['disk'] // 2 >> 20} MiB"


@LIMITS.case(last=True)
def memory_on_its_way() -> str | None:
    """Takes more memory than it may by files in memory that it has sent to a socket that nobody reads."""
    kept = socket.socketpair()
    many = WORLD["memory"] // 2**24 * 2
    for number in range(many):
        file = os.memfd_create(str(number))
        for _ in range(16):
            os.write(file, bytes(2**20))
        socket.send_fds(kept[0], [b"x"], [file])
        os.close(file)
    time.sleep(1)
    return f"{many} files of 16 MiB"


@LIMITS.case(last=True)
def disk_by_the_kernels_log() -> str | None:
    """Fills the disk by way of the file that takes the kernel's complaints."""
    for name in os.listdir("/proc/self/fd"):
        if "(deleted)" in os.readlink(f"/proc/self/fd/{name}") and "memfd" not in os.readlink(f"/proc/self/fd/{name}"):
            for _ in range(WORLD["disk"] // 2**20 * 2):
                os.write(int(name), bytes(2**20))
            return f"{os.fstat(int(name)).st_size >> 20} MiB"
    return None


@LIMITS.case(last=True, seconds=30)
def disk_with_empty_files() -> str | None:
    """Fills the tables of the disk with files that have nothing in them."""
    many = WORLD["disk"] // 4096 * 2
    os.mkdir("empty")
    for number in range(many):
        os.close(os.open(f"empty/{number}", os.O_CREAT | os.O_WRONLY))
    time.sleep(8)  # whoever counts files has looked by then
    return f"{many} files"


@LIMITS.case(last=True)
def one_file_without_end() -> str | None:
    """Makes a file that seems to have a terabyte, on disk and in memory."""
    with open("endless", "wb") as file:
        os.truncate(file.fileno(), 2**40)
    os.unlink("endless")
    return "a terabyte"


@LIMITS.case(open_to=Open.NOBODY, last=True)
def folders_in_folders() -> str | None:
    """Nests folders deeper than anybody can go, and leaves the host with them."""
    for _ in range(1500):
        os.mkdir("deeper")
        os.chdir("deeper")
    os._exit(1)


@LIMITS.case(last=True)
def disk_below_folders() -> str | None:
    """Fills the disk below folders that are nested deeper than anybody can go."""
    for _ in range(300):
        os.mkdir("deeper")
        os.chdir("deeper")
    for number in range(4):
        with open(f"filler-{number}", "wb") as file:
            for _ in range(WORLD["disk"] // 2 // 2**20):
                file.write(bytes(2**20))
    time.sleep(1)
    return f"4 files of {WORLD['disk'] // 2 >> 20} MiB"


@LIMITS.case(last=True)
def disk_in_a_closed_folder() -> str | None:
    """Fills the disk in a folder that it has closed to everybody, itself included."""
    os.mkdir("closed", 0o700)
    os.chdir("closed")
    files = [open(f"filler-{number}", "wb") for number in range(4)]  # noqa: SIM115 - the folder is closed below
    os.chmod(".", 0)
    for file in files:
        for _ in range(WORLD["disk"] // 2 // 2**20):
            file.write(bytes(2**20))
        file.close()
    time.sleep(1)
    return f"4 files of {WORLD['disk'] // 2 >> 20} MiB"


@LIMITS.case()
def open_files() -> str | None:
    """Opens files without end."""
    held: list[int] = []
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        while len(held) < 5000:
            held.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        for descriptor in held:
            os.close(descriptor)
    return f"{len(held)} open files"


@LIMITS.case()
def raising_the_limits() -> str | None:
    """Raises its own limits."""
    for name in ("RLIMIT_DATA", "RLIMIT_NPROC", "RLIMIT_FSIZE", "RLIMIT_NOFILE"):
        soft, hard = resource.getrlimit(getattr(resource, name))
        if hard == resource.RLIM_INFINITY:
            return f"{name} is not limited"
        try:
            resource.setrlimit(getattr(resource, name), (soft, hard + 1))
        except (OSError, ValueError):
            continue
        return f"raised {name}"
    return None


@LIMITS.case()
def image_of_a_crash() -> str | None:
    """Writes its memory to disk when it crashes."""
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    return f"up to {most} bytes" if most else None


@LIMITS.case(open_to=Open.ROOT)
def before_everybody_else() -> str | None:
    """Puts itself before all other processes."""
    os.nice(-5)
    return "a nice value below 0"


@LIMITS.case(open_to=Open.ROOT)
def before_everybody_else_for_ever() -> str | None:
    """Runs in real time, so that nothing else does."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return "SCHED_FIFO"


@LIMITS.case(open_to=Open.NOBODY)
def spared_when_memory_is_short() -> str | None:
    """Has the host kill others before it when memory is short."""
    with open("/proc/self/oom_score_adj", "r+") as file:
        before = int(file.read())
        file.seek(0)
        file.write(str(before - 1))
        file.flush()
        return f"{before} to {before - 1}"
