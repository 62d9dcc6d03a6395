"""Cases that are after the host's processes, and after living longer than the session."""

from __future__ import annotations

import glob
import os
import resource
import signal
import time

from cellblock.cli.sandbox_cases.case import Cases, Group, Open
from cellblock.cli.sandbox_cases.in_kernel import WORLD, detach, is_sentinel, processes

__all__ = ["PROCESSES"]

PROCESSES = Cases(Group.PROCESSES)


@PROCESSES.case()
def processes_of_the_host() -> str | None:
    """Sees the host's processes."""
    return str(WORLD["sentinel"]) if is_sentinel(WORLD["sentinel"]) else None


@PROCESSES.case()
def signal_a_process() -> str | None:
    """Sends a signal to a process of the host."""
    if not is_sentinel(WORLD["sentinel"]):
        return None  # that number is another process here
    os.kill(WORLD["sentinel"], signal.SIGCONT)
    return f"SIGCONT to {WORLD['sentinel']}"


@PROCESSES.case()
def limits_of_a_process() -> str | None:
    """Changes the limits of a process of the host."""
    if not is_sentinel(WORLD["sentinel"]):
        return None
    soft, hard = resource.prlimit(WORLD["sentinel"], resource.RLIMIT_CORE)
    resource.prlimit(WORLD["sentinel"], resource.RLIMIT_CORE, (soft, hard))
    return str(WORLD["sentinel"])


@PROCESSES.case()
def pace_of_a_process() -> str | None:
    """Slows down a process of the host."""
    if not is_sentinel(WORLD["sentinel"]):
        return None
    os.setpriority(os.PRIO_PROCESS, WORLD["sentinel"], 1)
    os.sched_setaffinity(WORLD["sentinel"], os.sched_getaffinity(0))
    return str(WORLD["sentinel"])


@PROCESSES.case(open_to=Open.UNTRIED)
def kill_the_first_process() -> str | None:
    """Kills the process that ends the sandbox with its owner."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGKILL):
        os.kill(1, number)
    time.sleep(0.2)
    return None if os.path.exists("/proc/1/stat") else "it is gone"


@PROCESSES.case(open_to=Open.UNTRIED)
def stop_the_first_process() -> str | None:
    """Stops that process, so that it does not do its work."""
    os.kill(1, signal.SIGSTOP)
    time.sleep(0.2)
    with open("/proc/1/stat") as file:
        state = file.read().rpartition(")")[2].split()[0]
    return f"its state is {state}" if state in "Tt" else None


@PROCESSES.case(open_to=Open.UNTRIED)
def descriptors_of_the_first_process() -> str | None:
    """Opens the descriptors of that process, of which one ties it to its owner."""
    for name in glob.glob("/proc/1/fd/*"):
        try:
            os.close(os.open(name, os.O_RDWR))
        except OSError:
            continue
        return f"{name}: {os.readlink(name)}"
    return None


@PROCESSES.case(open_to=Open.UNTRIED)
def memory_of_the_first_process() -> str | None:
    """Writes to the memory of that process."""
    with open("/proc/1/mem", "r+b"):
        return "/proc/1/mem"


@PROCESSES.case(open_to=Open.UNTRIED, last=True)
def signal_everybody() -> str | None:
    """Sends a signal to every process it can reach; the host looks who got it."""
    os.kill(-1, signal.SIGTERM)
    return None


@PROCESSES.case(last=True)
def live_longer_than_the_session() -> str | None:
    """Leaves a process that detaches itself and goes on after the session; the host looks for it."""
    detach("heartbeat-of-detached", stopped=False)
    return None


@PROCESSES.case(last=True)
def live_longer_by_ignoring_signals() -> str | None:
    """Leaves such processes that no signal ends but one."""
    for number in range(1, 5):
        detach(f"heartbeat-of-stubborn-{number}", stopped=True)
    return None


@PROCESSES.case(last=True)
def end_by_the_kernels_own_exit() -> str | None:
    """Leaves a process and ends the kernel itself; the host looks for what is left."""
    detach("heartbeat-after-exit", stopped=False)
    os._exit(0)


@PROCESSES.case()
def count_of_processes() -> str | None:
    """Sees more processes than its own."""
    mine = {os.getpid(), os.getppid(), 1}
    others = [process for process in processes() if process not in mine]
    return f"{len(others)} others" if len(others) > 8 else None
