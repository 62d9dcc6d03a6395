"""The first process of a sandbox: takes every right away, starts the kernel, reaps what it leaves, ends with the owner.

bubblewrap has built the namespaces and loaded the seccomp filter by now. Its only argument is a file descriptor from which
it reads its configuration, once the owner has put this process under its limits:

``uid``         the user to become, or None where bubblewrap has done it
``rlimits``     for each name of a resource limit ("DATA") its value
``processors``  the processors to run on, or None for all
``further_filter``  a filter of system calls to be loaded when these limits are set, in hexadecimal; may be empty
``writable``    the directories that may be written to
``proxy``       the loopback port to listen on for the owner's proxy, or None
``cwd``         the kernel's working directory
``env``         its whole environment
``program``     the folder of its program
``execute``     the command of an interpreter that is started anew for it, where the environment has what is read at a
                start, or None to go on in a fork of this one
``config``      a descriptor of its own configuration
``descriptors`` all those it inherits
``lifeline``    a descriptor of a socket nobody writes to: its end means that the owner is gone
``status``      a descriptor of a socket on which the owner is told, in a packet each: "proxy" with the descriptor of the
                listening socket, "confined", "refused" and a sentence, and in the end "exited" and a code, or
                "killed" and a signal

This process never runs a line of the user's code. Nothing of it can be reached from there: it is not dumpable, so its
memory and descriptors are closed to its own user, and it is outside of the kernel's Landlock domain.

Every kernel's start waits for what is imported here, so it is what is built in: json, signal and socket would take as long
as building the sandbox.
"""

from __future__ import annotations

import _signal
import _socket
import marshal
import os
import runpy
import select
import sys
import time
from typing import TYPE_CHECKING, Any

from lockdown import Refused, become, confine, filter_calls, hide, limit

if TYPE_CHECKING:
    from socket import socket

_BACKLOG = 64


def main() -> None:
    """Starts the kernel and gives its end as this process's own."""
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # the owner interrupts the whole group
    with os.fdopen(int(sys.argv[1]), "rb") as pipe:
        config = marshal.load(pipe)  # noqa: S302 - the owner's
    lifeline, status = _socket.socket(fileno=config["lifeline"]), _socket.socket(fileno=config["status"])
    try:
        if config["proxy"] is not None:
            tell(status, "proxy", listener(config["proxy"]))
        become(config["uid"])
        limit(config["rlimits"], config["processors"])
        filter_calls(bytes.fromhex(config["further_filter"]))
        hide()
        kernel = os.fork()
        if kernel == 0:
            prepare(config, lifeline, status)
    except (Refused, OSError) as error:
        tell(status, f"refused {error}")
        os._exit(1)
    if kernel:
        supervise(kernel, lifeline, status)
    run_kernel(config)


def listener(port: int) -> int:
    """A socket that listens on loopback inside and is answered by the owner outside."""
    opened = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    opened.bind(("127.0.0.1", port))
    opened.listen(_BACKLOG)
    return opened.detach()


def prepare(config: dict[str, Any], lifeline: socket, status: socket) -> None:
    """In the kernel's process: takes the rest away. Returns if the kernel is to run in this interpreter."""
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    os.chdir(config["cwd"])
    confine(config["writable"])
    tell(status, "confined")
    for end in (lifeline, status):
        end.detach()  # what follows closes the descriptor, and nobody must do so again
    keep_only(config["descriptors"])
    if config["execute"] is not None:
        os.execve(config["execute"][0], config["execute"], config["env"])  # noqa: S606 - the kernel's interpreter


def run_kernel(config: dict[str, Any]) -> None:
    """Runs the kernel program as an interpreter does that is started for it."""
    os.environ.clear()
    os.environ.update(config["env"])
    time.tzset()
    for module in ("first_process", "landlock", "lockdown"):
        sys.modules.pop(module)
    sys.argv = [config["program"], str(config["config"])]
    sys.path.pop(0)
    runpy.run_path(config["program"], run_name="__main__")


def keep_only(descriptors: list[int]) -> None:
    """Leaves these open, also to the next program, and beside the standard streams nothing else."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - see above
        if int(name) > 2:
            try:
                if int(name) in descriptors:
                    os.set_inheritable(int(name), True)
                else:
                    os.close(int(name))
            except OSError:  # the one that listed the folder
                continue


def supervise(kernel: int, lifeline: socket, status: socket) -> None:
    """Reaps every process that loses its parent, until the kernel or the owner is gone; both end the sandbox."""
    woken, wake = _socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    _signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    poll.register(woken, select.POLLIN)
    while True:
        reap(kernel, status)
        if any(descriptor == lifeline.fileno() for descriptor, _ in poll.poll()):
            os._exit(0)
        woken.recv(4096)


def reap(kernel: int, status: socket) -> None:
    """Reaps all that has ended; ends this process if the kernel is among it."""
    while True:
        child, ended = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        if child == kernel:
            code = os.waitstatus_to_exitcode(ended)
            tell(status, f"exited {code}" if code >= 0 else f"killed {-code}")
            os._exit(code if code >= 0 else 128 - code)


def tell(status: socket, message: str, descriptor: int | None = None) -> None:
    """Sends the owner a message; without an owner there is nobody to tell."""
    passed = [] if descriptor is None else [descriptor.to_bytes(4, sys.byteorder)]
    try:
        status.sendmsg([message.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd) for fd in passed])
    except BrokenPipeError:
        os._exit(0)
