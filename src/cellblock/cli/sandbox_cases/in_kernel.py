"""What the cases use in the kernel. The whole of this file is run there as a cell, and its tables are filled."""

# ruff: noqa: PTH123

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import time
from typing import Any

WORLD: dict[str, Any] = {}
"""What there is on the host to get hold of."""

NUMBERS: dict[str, int] = {}
"""The machine's system calls."""


def call(name: str, *arguments: Any) -> tuple[int, int]:
    """Makes a system call itself, by name; gives its result and its error number."""
    libc = ctypes.CDLL(None, use_errno=True)
    ctypes.set_errno(0)
    result = libc.syscall(NUMBERS[name], *arguments)
    return result, ctypes.get_errno() if result < 0 else 0


def let_through(name: str, *arguments: Any) -> str | None:
    """Whether a system call gets further than a filter or a missing right: an error about its arguments is further."""
    result, error = call(name, *arguments)
    if error in (errno.EPERM, errno.ENOSYS, errno.EACCES):
        return None
    return f"{name} gave {result} ({errno.errorcode.get(error, 'no error')})"


def connects(family: int, address: Any) -> str | None:
    """Whether a stream connection can be made."""
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.settimeout(3)
        tried.connect(address)
        return f"connected to {address!r}"


def to_proxy() -> socket.socket | None:
    """A connection to the proxy that is the sandbox's way out, if there is one."""
    host, _, port = os.environ.get("HTTPS_PROXY", "").removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=2) if port else None


def by_proxy(request: bytes) -> str | None:
    """What the proxy answers if it is no refusal."""
    proxy = to_proxy()
    if proxy is None:
        return None
    with proxy:
        proxy.sendall(request)
        answer = proxy.recv(4096).decode("latin-1")
    refused = not answer or any(answer.startswith(f"HTTP/1.1 {status} ") for status in (400, 403, 431, 502, 504))
    return None if refused else answer[:200]


def processes() -> list[int]:
    """The ids of all processes to be seen."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - as short as it gets


def content(path: str, most: int = 4096) -> bytes:
    """The start of a file."""
    with open(path, "rb") as file:
        return file.read(most)


def kernel() -> Any:
    """The kernel's own object."""
    from ipykernel.kernelapp import IPKernelApp

    return IPKernelApp.instance().kernel


def send_frames(channel: str, kind: bytes, content: Any, parent: Any) -> None:
    """Sends a message on a channel that the kernel answers on, to whoever sent the parent."""
    it = kernel()
    stream = {"shell": it.shell_stream, "stdin": it.stdin_socket}[channel]
    ident = it._parent_ident["shell"]
    it.session.send(getattr(stream, "socket", stream), kind.decode(), content, parent, ident=ident)


def is_sentinel(process: int) -> bool:
    """Whether a process id is that of the host's process, as seen from here."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return WORLD["spoken"].encode() in file.read()
    except OSError:
        return False


def detach(name: str, *, stopped: bool) -> None:
    """Starts a process of its own session that writes to a file of the workspace as long as it lives."""
    if os.fork():
        time.sleep(0.1)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    if stopped:
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_IGN)
    while True:
        with open(f"{name}.new", "w") as file:
            file.write(f"{os.getpid()} {time.time()}")
        os.rename(file.name, name)  # noqa: PTH104
        time.sleep(0.02)
