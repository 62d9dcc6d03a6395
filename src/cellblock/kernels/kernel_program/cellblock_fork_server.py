"""Imports ipykernel, and what else it is told to, and then forks a kernel for each request.

It is run by ``fork_server.py``, whose only argument is a file descriptor with JSON to read: ``control``, a descriptor of a
socket to the owner; ``lifeline``, as for a kernel; and ``preload``, names of packages to import.

The process has one thread, and neither an event loop nor a ZMQ context: a fork would break them. It first says on the
control socket, in a line of JSON, whether the packages may be preloaded (``refused``: the reason, or null). Each request is
one byte with descriptors: the request's own channel and what the kernel gets; what is said on the channel is described in
``cellblock_forked``. The server itself says there how the kernel ended (``ended``: a return code as in ``subprocess``) or
that it could not be forked (``error``). It keeps the dead kernel's process id until the owner writes no more, so that the
owner never signals a stranger; then it gives the id back and hangs up. When the owner closes the control socket, the
server ends with its last kernel.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock_process import end_with_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROCESS_NAME = "cellblock-forks"  # as in ps and top: at most 15 characters
_MOST_DESCRIPTORS = 16

_USED_BY_EVERY_KERNEL = (
    "IPython.core.completerlib", "IPython.core.logger", "IPython.core.magics", "IPython.core.oinspect",
    "IPython.extensions.storemagic", "IPython.core.debugger", "faulthandler", "pdb",
    "tornado.platform.asyncio", "tornado.gen", "unicodedata",
)  # fmt: skip
"""What ipykernel imports when it makes a kernel or runs its first cell."""

_USED_BY_ERRORS = ("stack_data",)
"""What it imports with the first traceback."""

_LEISURE = 200  # milliseconds without a request in which the server does what it need not do before the first


class Child:
    """A kernel, as its parent sees it.

    Args:
        pid: Its process id.
        channel: To the owner.
    """

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self.pidfd = os.pidfd_open(pid)

    def report(self) -> None:
        """Tells the owner how it ended, and ends what it started; the process id stays taken."""
        info = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOWAIT)
        assert info is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        returncode = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
        say(self.channel, {"ended": returncode})

    def bury(self) -> None:
        """Gives the process id back."""
        os.waitpid(self.pid, 0)

    def close(self) -> None:
        """Closes what this process has of it."""
        os.close(self.pidfd)
        self.channel.close()


class ForkServer:
    """Answers one owner.

    Args:
        control: The socket to it.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._living: dict[int, Child] = {}  # by pidfd
        self._dead: dict[int, Child] = {}  # by channel
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> list[int]:
        """Serves until the owner is gone and with it the last kernel.

        Returns:
            In the server nothing; in each forked child the descriptors of its request.
        """
        open_for_requests = True
        leisure: int | None = _LEISURE
        while open_for_requests or self._living:
            events = self._poll.poll(leisure)
            if not events:
                leisure = None
                import_all(_USED_BY_ERRORS)
            for descriptor, _ in events:
                if descriptor in self._living:
                    self._on_end(self._living.pop(descriptor))
                elif descriptor in self._dead:
                    self._on_closed(self._dead.pop(descriptor))
                else:
                    descriptors = self._receive()
                    open_for_requests = bool(descriptors)
                    if not descriptors:
                        self._poll.unregister(self._control)
                    elif self._fork(descriptors):
                        return descriptors
        return []

    def _receive(self) -> list[int]:
        room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array.array("i").itemsize)
        _, messages, _, _ = self._control.recvmsg(1, room, socket.MSG_CMSG_CLOEXEC)
        received = array.array("i")
        for _, _, data in messages:
            received.frombytes(data)
        return received.tolist()

    def _fork(self, descriptors: list[int]) -> bool:
        """Forks a kernel, and tells whether this is it."""
        channel = socket.socket(fileno=os.dup(descriptors[0]))
        try:
            pid = os.fork()
        except OSError as error:
            say(channel, {"error": f"it could not be forked: {error}"})
            channel.close()
        else:
            if pid == 0:
                channel.close()
                self._let_go()
                return True
            child = Child(pid, channel)
            self._living[child.pidfd] = child
            self._poll.register(child.pidfd, select.POLLIN)
        for descriptor in descriptors:
            os.close(descriptor)
        return False

    def _on_end(self, child: Child) -> None:
        self._poll.unregister(child.pidfd)
        child.report()
        self._dead[child.channel.fileno()] = child
        self._poll.register(child.channel, select.POLLRDHUP)

    def _on_closed(self, child: Child) -> None:
        self._poll.unregister(child.channel)
        child.bury()
        child.close()

    def _let_go(self) -> None:
        """In a child: closes what is the server's."""
        self._control.close()
        for child in (*self._living.values(), *self._dead.values()):
            child.close()


def say(to: socket.socket, message: dict[str, object]) -> None:
    """Sends a line of JSON, to whoever may have hung up."""
    with contextlib.suppress(OSError):
        to.sendall(json.dumps(message).encode() + b"\n")


def import_all(modules: Iterable[str]) -> None:
    """Imports what is there of some modules."""
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def main(
    kernels: str = "cellblock_forked",
    home: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> None:
    """Runs the fork server, and in its children the kernels.

    Args:
        kernels: The module whose ``run_kernel`` makes a kernel of a child.
        home: Gives packages a home to be imported in.
    """
    gc.disable()  # there is next to no garbage in an import, and looking for it is an eighth of the time
    with os.fdopen(int(sys.argv[1]), "rb") as pipe:
        config = json.load(pipe)
    end_with_owner(config["lifeline"])
    own_name = Path("/proc/self/comm").read_text().strip()
    Path("/proc/self/comm").write_text(PROCESS_NAME)
    control = socket.socket(fileno=config["control"])
    from cellblock_forked import INLINE_BACKEND
    from cellblock_preloads import preload
    from cellblock_staleness import Imported
    from IPython.core.inputtransformer2 import TransformerManager

    run_kernel = importlib.import_module(kernels).run_kernel
    import_all(_USED_BY_EVERY_KERNEL)
    TransformerManager().transform_cell("1")  # compiles the tokenizer's regular expressions
    os.environ.setdefault("MPLBACKEND", INLINE_BACKEND)  # matplotlib reads it when it is imported, which is now
    own_folder = str(Path(__file__).parent)  # which is no business of the user's code
    sys.path[:] = [path for path in sys.path if not path.startswith(own_folder)]
    with home():
        refusal = preload(config["preload"])
    imported = Imported()
    say(control, {"refused": refusal})
    if refusal is not None:
        return
    os.chdir("/")  # not to hold a file system
    if config["preload"]:
        gc.collect()
    gc.freeze()  # collecting would copy the pages of what all kernels share
    gc.enable()
    descriptors = ForkServer(control).serve()
    if descriptors:
        os.close(config["lifeline"])  # the server's; a kernel has its own
        run_kernel(descriptors, imported, own_name)
