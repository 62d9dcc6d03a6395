"""Cases that are after the session itself: what the kernel says to it, and whether it works afterwards.

After each the host runs another cell, which must come out right and in time: that is what these are judged by.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from cellblock.cli.sandbox_cases.case import Cases, Group, Open
from cellblock.cli.sandbox_cases.in_kernel import kernel, send_frames

__all__ = ["SESSION"]

if TYPE_CHECKING:

    def display(bundle: object, *, raw: bool) -> None:
        """IPython puts it there."""


SESSION = Cases(Group.PROTOCOL)


@SESSION.case(open_to=Open.NOBODY, last=True, seconds=1)
def change_the_key() -> str | None:
    """Changes the secret that its messages are signed with."""
    kernel().session.key = b"another"
    return None


@SESSION.case(open_to=Open.NOBODY)
def pretend_to_be_done() -> str | None:
    """Says that the cell is over before it is."""
    it = kernel()
    parent = it.get_parent("shell")
    it.session.send(it.iopub_socket, "status", {"execution_state": "idle"}, parent, ident=b"status")
    send_frames("shell", b"execute_reply", {"status": "ok", "execution_count": 999}, parent)
    time.sleep(0.3)
    return None


@SESSION.case(open_to=Open.NOBODY)
def messages_that_make_no_sense() -> str | None:
    """Sends messages whose parts are not what they should be."""
    it = kernel()
    parent = it.get_parent("shell")
    for kind, content in (
        ("stream", {"name": 7, "text": ["x"]}),
        ("stream", {}),
        ("display_data", {"data": "text", "metadata": 3}),
        ("display_data", {"data": {"image/png": 5, "text/plain": {"a": [None]}}, "metadata": {}}),
        ("execute_result", {"data": {str(n): "x" for n in range(50_000)}, "metadata": {}, "execution_count": "many"}),
        ("error", {"ename": None, "evalue": 4, "traceback": {"a": 1}}),
        ("status", {"execution_state": ["idle"]}),
        ("update_display_data", {"data": None, "transient": []}),
        ("clear_output", {"wait": "perhaps"}),
        ("no such kind", {"a": "b"}),
    ):
        it.session.send(it.iopub_socket, kind, content, parent, ident=b"x")
    return None


@SESSION.case(open_to=Open.NOBODY)
def frames_that_are_no_messages() -> str | None:
    """Sends what is no message at all, and what is one without an end."""
    it = kernel()
    for frames in (
        [b""],
        [b"<IDS|MSG>"],
        [b"x", b"<IDS|MSG>", b"signature", b"{", b"{}", b"{}", b"{}"],
        [b"<IDS|MSG>", b"", b"\xff\xfe", b"{}", b"{}", b"{}"],
        [b"x"] * 1000,
    ):
        it.iopub_socket.send_multipart(frames)
    deep = b"[" * 200_000 + b"]" * 200_000
    parts = [json.dumps(it.session.msg_header("stream"), default=str).encode(), b"{}", b"{}", deep]
    it.iopub_socket.send_multipart([b"x", b"<IDS|MSG>", it.session.sign(parts), *parts])
    return None


@SESSION.case(open_to=Open.NOBODY, seconds=3)
def question_nobody_waits_for() -> str | None:
    """Asks for input where nobody can answer, and by hand."""
    parent = kernel().get_parent("shell")
    send_frames("stdin", b"input_request", {"prompt": "?", "password": True}, parent)
    send_frames("stdin", b"input_request", {"prompt": 3}, parent)
    return None


@SESSION.case(open_to=Open.NOBODY, last=True)
def spoil_the_last_words() -> str | None:
    """Puts nonsense into the memory that it shares with the host, makes it longer and shorter, and dies."""
    for name in os.listdir("/proc/self/fd"):
        if "last-words" in os.readlink(f"/proc/self/fd/{name}"):
            os.pwrite(int(name), b"\xff" * 60_000, 0)
            for size in (0, 2**27):
                try:
                    os.truncate(int(name), size)
                except OSError:
                    continue
    os._exit(1)


@SESSION.case(open_to=Open.NOBODY, last=True, seconds=1)
def close_every_connection() -> str | None:
    """Closes all it has open, the connections to the host too."""
    os.closerange(3, 1000)
    return None


@SESSION.case(open_to=Open.NOBODY, last=True, seconds=0.5)
def be_deaf_to_interrupts() -> str | None:
    """Does not let itself be interrupted."""
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue


@SESSION.case(open_to=Open.NOBODY, last=True, seconds=0.5)
def never_come_back_from_c() -> str | None:
    """Stays for ever in code that does not look for interrupts."""
    re.match(r"(a+)+$", "a" * 60 + "b")
    return None


@SESSION.case(open_to=Open.NOBODY, last=True, seconds=0.5)
def stop_itself() -> str | None:
    """Stops its own process."""
    os.kill(os.getpid(), signal.SIGSTOP)
    return None


@SESSION.case(open_to=Open.NOBODY, last=True, seconds=1)
def flood_of_output() -> str | None:
    """Prints without end."""
    while True:
        sys.stdout.write("flood " * 2000)


@SESSION.case(open_to=Open.NOBODY, last=True, seconds=1)
def flood_of_messages() -> str | None:
    """Shows things without end."""
    while True:
        display({"text/plain": "flood"}, raw=True)


@SESSION.case(open_to=Open.NOBODY, last=True, seconds=15)
def one_message_without_end() -> str | None:
    """Shows something that is as large as can be."""
    display({"text/plain": "x" * 50_000_000}, raw=True)
    return None


@SESSION.case(open_to=Open.NOBODY, last=True, seconds=5)
def speak_after_the_end() -> str | None:
    """Prints from a thread when its cell is over, into the next cell."""

    def speak() -> None:
        while True:
            print("not yours")
            time.sleep(0.001)

    threading.Thread(target=speak, daemon=True).start()
    return None


@SESSION.case(open_to=Open.NOBODY, last=True)
def hold_the_connection() -> str | None:
    """Ends the kernel and leaves a process that holds its connections."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    os._exit(3)
