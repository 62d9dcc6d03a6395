"""What the process of a kernel does about itself (POSIX): it ends with its owner, and it complains where it is heard."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def end_with_owner(lifeline: int, *, before_exec: bool = False) -> None:
    """Arranges that this process group is killed when the other end of the pipe closes.

    On Linux the kernel itself does it: a pipe can be made to signal its readers' group, and the signal can be SIGKILL
    (fcntl(2): F_SETOWN, F_SETSIG, O_ASYNC). That works while C code holds the GIL, and unlike PR_SET_PDEATHSIG it does
    not fire when only the thread that started us ends. Elsewhere a thread (or, before an exec, a child) waits.

    Args:
        lifeline: The pipe's reading end; it must stay open.
        before_exec: Whether this process is about to become another program, which takes its threads away.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, 10, signal.SIGKILL)  # F_SETSIG, which the module does not name
        fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)
        os.set_blocking(lifeline, False)
        try:
            gone = os.read(lifeline, 1) == b""  # it may have closed before the signal was armed
        except BlockingIOError:
            gone = False
        if gone:
            os.killpg(0, signal.SIGKILL)
        return

    def wait() -> None:
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)

    if not before_exec:
        threading.Thread(target=wait, name="lifeline", daemon=True).start()
    elif os.fork() == 0:
        wait()


def silence_own_streams() -> None:
    """Points the process's own stdout and stderr nowhere: ipykernel copies there what it has sent to its client."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


@contextlib.contextmanager
def complaints_to(log: int) -> Iterator[None]:
    """Sends what goes wrong before the kernel can speak for itself to the owner's log.

    Args:
        log: A descriptor.
    """
    import traceback

    try:
        yield
    except (OSError, ImportError) as error:  # a folder or a package that is not there: no fault of this program
        os.write(log, "".join(traceback.format_exception_only(error)).encode())
        os._exit(1)
    except BaseException:
        os.write(log, traceback.format_exc().encode())
        os._exit(1)


def trace_crashes(log: int) -> None:
    """Has the stack written to the owner's log when native code crashes.

    Args:
        log: A descriptor, which from now on belongs to this.
    """
    import faulthandler

    faulthandler.enable(os.fdopen(log, "w"), all_threads=False)
