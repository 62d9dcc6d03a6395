"""ipykernel on sockets that its owner made, tuned for one program as its client.

What is tuned, and why it is safe:

* The debugger is made on demand, and the main thread reads and publishes by itself; see ``cellblock_kernel`` and
  ``cellblock_publisher``. There are no subshells.
* The history database is off: it costs a disk write for each cell, and no client of ours asks for it.
* IPython does not keep a copy of every output for ``%notebook`` to export: it would for as long as the kernel lives.
* ``_execute_sleep`` and log lines below WARNING are off: they are waiting and formatting for nobody.
* JSON is written by one encoder instead of a new one for each of a message's four parts.
* A reply is sent when it is ready; see ``cellblock_shell_stream``.
* The streams are our own; see ``cellblock_streams``.
* A result gets its number when it is sent, so that a number passed over means that a message was lost.
* The sockets have no high-water mark: at the default of 1000 messages ZMQ drops output silently.
"""

from __future__ import annotations

import codecs
import contextlib
import inspect
import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import zmq
from cellblock_kernel import (
    DirectKernel,
    Kernel,
    NoShellThread,
    hide_interrupt,
)  # first: it keeps debugpy out of what the others import
from cellblock_publisher import Publisher, uninterrupted
from cellblock_shell_stream import ShellStream
from cellblock_streams import adopt
from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQDisplayPublisher
from jupyter_client.jsonutil import json_default
from jupyter_client.session import json_packer
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

_DEBUGGERS_SHELL = "inproc://shell"

_encode = json.JSONEncoder(default=json_default, ensure_ascii=False, allow_nan=False).encode


class App(IPKernelApp):  # type: ignore[misc]
    """IPKernelApp on listening sockets that exist already; ``*_port`` are their descriptors."""

    def _bind_socket(self, socket: Any, port: int) -> int:
        # Before it is bound: a connection keeps the mark its socket had then, and past the mark ZMQ drops.
        socket.hwm = 0
        socket.setsockopt(zmq.USE_FD, port)
        socket.bind(f"ipc://descriptor-{port}")
        return port

    def init_control(self, context: Any) -> None:
        """Opens the control channel, which has a thread, and leaves the shell channel without one."""
        super().init_control(context)
        self.shell_channel_thread = NoShellThread()
        # The debugger's own way to the shell channel: not by the socket's path, which the owner may have removed.
        self.debug_shell_socket.disconnect(self.shell_socket.getsockopt(zmq.LAST_ENDPOINT))
        self.shell_socket.bind(_DEBUGGERS_SHELL)
        self.debug_shell_socket.connect(_DEBUGGERS_SHELL)

    def init_iopub(self, context: Any) -> None:
        """Opens the iopub channel."""
        socket = context.socket(zmq.XPUB)
        socket.linger = 1000  # milliseconds for the last messages to leave
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # greets each subscriber, not the first alone
        self.iopub_port = self._bind_socket(socket, self.iopub_port)
        self.configure_tornado_logger()
        self.iopub_thread = Publisher(socket, pipe=True, session=self.session)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def init_connection_file(self) -> None:
        """There is none."""

    def write_connection_file(self, **kwargs: Any) -> None:
        """There is none."""

    def init_heartbeat(self) -> None:
        """The owner watches the process itself."""

    def init_poller(self) -> None:
        """The lifeline watches the owner."""

    def log_connection_info(self) -> None:
        """Keeps what the kernel wants to know of its sockets; nobody else can connect to them."""
        self._ports = {name: getattr(self, name + "_port") for name in ("shell", "iopub", "stdin", "hb", "control")}


class DisplayHook(ZMQShellDisplayHook):  # type: ignore[misc]
    """Makes the message of a result once there is something to send; an object that shows itself leaves nothing."""

    def start_displayhook(self) -> None:
        """Begins to gather what the message will hold."""
        self.msg = {"content": {"data": {}, "metadata": {}}}

    def finish_displayhook(self) -> None:
        """Sends it."""
        with uninterrupted():
            if self.msg and self.msg["content"]["data"]:
                self.msg = self.session.msg("execute_result", self.msg["content"], parent=self.parent_header)
            super().finish_displayhook()


class DisplayPublisher(ZMQDisplayPublisher):  # type: ignore[misc]
    """Sends each display that it has begun to make."""

    def publish(self, *args: Any, **options: Any) -> None:
        """Publishes a MIME bundle."""
        with uninterrupted():
            super().publish(*args, **options)


def pack(part: dict[str, Any]) -> bytes:
    """A part of a message as JSON.

    Args:
        part: What holds more than JSON can is cleaned by jupyter_client's own packer, with its warning.
    """
    try:
        encoded = _encode(part)
    except (TypeError, ValueError):
        packed: bytes = json_packer(part)
        return packed
    try:
        return encoded.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, which must not take the text around it along
        return encoded.encode("utf-8", "cellblock-escape")


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Writes in JSON what Python's literals have for characters that UTF-8 has no form for."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(f"\\\\u{ord(character):04x}" for character in error.object[error.start : error.end]), error.end


codecs.register_error("cellblock-escape", _escape)


def new_app(config: dict[str, Any]) -> App:
    """A kernel application that has touched nothing yet, neither sockets nor files nor the environment.

    Args:
        config: See ``__main__``.
    """
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.IPythonKernel._execute_sleep = 0
    settings.Session.key = config["key"].encode()
    settings.Session.packer = f"{__name__}.pack"
    settings.IPKernelApp.log_level = 30
    settings.IPKernelApp.extensions = config.get("extensions", [])
    settings.IPKernelApp.outstream_class = "cellblock_streams.Stream"
    app = App.instance(config=settings, kernel_class=DirectKernel, transport="ipc")
    app.parent_handle = 1  # not a terminal's kernel: no advice on Ctrl-C
    for channel, descriptor in config["sockets"].items():
        setattr(app, channel + "_port", descriptor)
    return app


def make_app(config: dict[str, Any], app: App | None = None) -> App:
    """An initialised kernel application, its sockets open and its streams in place.

    Args:
        config: See ``__main__``.
        app: What ``new_app`` has given for it, if it was called already.
    """
    app = app or new_app(config)
    app.initialize([])
    app.log.setLevel(logging.WARNING)  # log_level is only its handler's: each debug line would be made, then dropped
    # Not by a shell class of our own: libraries know a notebook by the name of ipykernel's.
    app.shell.displayhook.__class__ = DisplayHook
    app.shell.display_pub.__class__ = DisplayPublisher
    # Only IPython 9 has these two.
    app.shell._tee = lambda channel: contextlib.nullcontext()  # noqa: ARG005 - its name is how it is given
    app.shell.history_manager.outputs = _Forgetful()
    app.shell._get_exc_info = partial(_exception_to_show, app.shell._get_exc_info)
    app.kernel.shell_stream.__class__ = ShellStream
    # ipykernel looks at it before each cell, and inspect makes it anew unless it is there.
    run_cell: Any = type(app.shell).run_cell_async
    run_cell.__signature__ = inspect.signature(run_cell)
    app.kernel.streams = adopt(app.iopub_thread, config.get("last_words"))
    return app


class _Forgetful(dict[int, list[Any]]):
    """The outputs of each cell, none of which is kept."""

    def __missing__(self, cell: int) -> list[Any]:
        return []

    def setdefault(self, cell: int, default: Any = None) -> Any:  # noqa: ARG002
        """A list that is not kept."""
        return []


def _exception_to_show(look_up: Callable[..., Any], exc_tuple: Any = None) -> Any:
    """What IPython's shell looks up when it is about to show an exception."""
    kind, value, traceback = look_up(exc_tuple)
    hide_interrupt(traceback)
    return kind, value, traceback


def make_standard_app(arguments: list[str]) -> IPKernelApp:
    """An initialised kernel application as ``python -m ipykernel_launcher`` makes it, but for its debugger on demand.

    Args:
        arguments: Of ipykernel_launcher.
    """
    app = IPKernelApp.instance(kernel_class=Kernel)
    app.parent_handle = 1  # the lifeline watches the owner
    app.initialize(arguments)
    return app
