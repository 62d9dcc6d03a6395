"""What a process forked by the sandboxes' fork server does to become a confined kernel, and what stays beside it.

It talks with its owner as ``cellblock_forked`` says, but for what comes between what it is to become and where it is to run:
``first``, the process id of the sandbox's first process, and of what ``first_process`` is told ``uid``, ``rlimits``,
``processors``, ``further_filter``, ``writable``, ``proxy``, ``env`` and ``program``, ``path``, where it looks for modules
before the interpreter's own folders, and ``filter``, that of system calls in hexadecimal. Among what came with the channel is
a socket, ``door``, on which a descriptor of the first process comes in, then a byte once the sandbox is built, and the
descriptor of the socket that listens for the owner's proxy goes out. The process says ``confined``, its id, or it says
``refused``, a sentence, and ends. The owner does not tell it where to run before it holds it to its limits.

No code that a sandbox's code may have written runs while the process has its channel to the owner or the fork server's
streams, which other sessions' kernels have too. So nothing is imported from the workspace before: it is not the working
directory and not on the path.

A process that enters a namespace of process ids stays outside of it; only its children are inside. So it forks once more: while
the sandbox is being built, unless the rights to enter come with a user namespace, which must be complete then. The child gives
every right away and becomes the kernel. The parent gives away what it has too, runs no line of anybody's code, and ends as the
kernel ends, which the fork server then tells the owner. Nothing inside can see or name it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import site
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cellblock_forked
import cellblock_sandbox_hints  # noqa: F401 - an extension of every kernel, which finds it by its name
from cellblock_process import complaints_to, silence_own_streams
from cellblock_staleness import Imported
from first_process import keep_only, listener
from lockdown import Refused, become, confine, filter_calls, hide, limit
from namespaces import PID, USER, join, parted
from search_path import take_back

if TYPE_CHECKING:
    from cellblock_kernel_app import App

_MOST_DESCRIPTORS = 2**31 - 1
_KILL_FIRST = "1000"  # oom_score_adj: what to kill when the host runs out of memory


def run_kernel(descriptors: list[int], imported: Imported, process_name: str) -> None:
    """Becomes a confined kernel and runs until it is shut down.

    Args:
        descriptors: What came with the request.
        imported: What the fork server had imported.
        process_name: What a Python process is called here.
    """
    os.setsid()
    cellblock_forked.forget_the_server(process_name)
    Path("/proc/self/oom_score_adj").write_text(_KILL_FIRST)
    channel = cellblock_forked.Channel(descriptors[0])
    config = channel.receive()
    given = dict(zip(config["descriptors"], descriptors[1:], strict=True))
    channel.send({"pid": os.getpid()})
    silence_own_streams()
    with complaints_to(given["log"]):
        changed = imported.changed()  # while the sandbox is being built
        sandbox = channel.receive()
        if changed is not None:
            channel.send({"stale": changed})
            os._exit(0)
        try:
            number, app = _enter(sandbox, config, given)
            keep_only([descriptors[0], *given.values()])
        except (Refused, OSError) as error:
            channel.send({"refused": str(error)})
            os._exit(1)
        for descriptor in (descriptors[0], *given.values()):
            os.set_inheritable(descriptor, False)
        channel.send({"confined": number})
        _begin(sandbox)
    cellblock_forked.make_and_run(
        channel, config, given, Imported() if config["spare"] else None, app, lambda: _import_from(sandbox["path"])
    )


def _enter(sandbox: dict[str, Any], config: dict[str, Any], given: dict[str, int]) -> tuple[int, App]:
    """Returns in a process that is inside and can do nothing that it may not.

    Returns:
        Its process id outside, and the beginning of its kernel, made while the sandbox is being built.
    """
    door = socket.socket(fileno=given.pop("door"))
    _, (first,), _, _ = socket.recv_fds(door, 1, 1)
    namespaces = parted(sandbox["first"])
    before_fork = namespaces if namespaces & USER else PID
    join(first, before_fork)
    hearing, telling = socket.socketpair()
    kernel = os.fork()
    if kernel:
        telling.sendall(kernel.to_bytes(4, sys.byteorder))  # which a process inside cannot know
        _stay(kernel, sandbox)
    number = int.from_bytes(hearing.recv(4), sys.byteorder)
    hearing.close()
    telling.close()
    os.setsid()
    app = cellblock_forked.begin(config, given)
    if not door.recv(1):
        os._exit(1)  # the owner has hung up
    join(first, namespaces & ~before_fork)
    os.close(first)
    os.chdir("/")
    socket.send_fds(door, [b"\0"], [listener(sandbox["proxy"])])
    become(sandbox["uid"])
    filter_calls(bytes.fromhex(sandbox["filter"]))
    limit(sandbox["rlimits"], sandbox["processors"])
    filter_calls(bytes.fromhex(sandbox["further_filter"]))
    confine(sandbox["writable"])
    return number, app


def _stay(kernel: int, sandbox: dict[str, Any]) -> None:
    """In the kernel's parent: waits, and ends as the kernel ends."""
    os.closerange(3, _MOST_DESCRIPTORS)
    become(sandbox["uid"])
    hide()
    _, status = os.waitpid(kernel, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _begin(sandbox: dict[str, Any]) -> None:
    """Takes the environment, and runs what an interpreter runs that starts with it: what is installed, not the workspace's."""
    os.environ.clear()
    os.environ.update(sandbox["env"])
    sys.argv = [sandbox["program"]]
    for module in ("first_process", "forked", "landlock", "lockdown", "namespaces", "search_path", "sitecustomize"):
        sys.modules.pop(module, None)
    with contextlib.suppress(SystemExit):  # site lets it pass, and nothing else
        site.execsitecustomize()


def _import_from(folders: list[str]) -> None:
    """Puts folders before those where modules are looked for."""
    sys.path[:] = [*folders, *(path for path in sys.path if path not in folders)]
    take_back()
