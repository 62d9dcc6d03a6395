"""Messages of the Jupyter protocol: their shape, how to make a request, how to read the counter in their id.

Source: the Jupyter messaging specification, "General message format"
(https://jupyter-client.readthedocs.io/en/stable/messaging.html).
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from cellblock.errors import ConfigError

__all__ = ["PROTOCOL_VERSION", "Channel", "Message", "MessageNumber", "Requests", "check_code"]

PROTOCOL_VERSION = "5.4"

Channel = Literal["shell", "control", "iopub", "stdin"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as it is before or after the wire.

    Attributes:
        channel: Which of the kernel's channels carries it.
        header: Names the message itself: ``msg_id``, ``msg_type``, ``session``, …
        parent_header: The header of the request it belongs to; empty when it belongs to none.
        content: The body; its keys depend on the type.
        metadata: Free-form.
        buffers: Binary attachments (widgets use them).
    """

    channel: Channel
    header: dict[str, Any]
    parent_header: dict[str, Any]
    content: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    buffers: tuple[bytes, ...] = ()

    @property
    def msg_id(self) -> str:
        """The message's own id."""
        return str(self.header.get("msg_id", ""))

    @property
    def msg_type(self) -> str:
        """The message's type, such as ``stream``."""
        return str(self.header.get("msg_type", ""))

    @property
    def parent_id(self) -> str:
        """The id of the request this message belongs to, or an empty string."""
        return str(self.parent_header.get("msg_id", ""))


@dataclass(frozen=True, slots=True)
class MessageNumber:
    """The counter in a message id of the form ``<session>_<pid>_<n>``.

    jupyter_client's ``Session`` (which ipykernel uses) numbers everything one process sends, over all
    channels, with one counter; a gap in what arrives is a message that was lost.
    """

    sender: str
    value: int

    @classmethod
    def of(cls, msg_id: str) -> MessageNumber | None:
        """Reads the counter, or gives None for ids of another form (kernels of other languages)."""
        sender, _, digits = msg_id.rpartition("_")
        if not sender or not digits.isascii() or not digits.isdigit():
            return None
        return cls(sender, int(digits))


class Requests:
    """Makes the requests of one client, all under one session id.

    Args:
        session: The client's id; a new one if not given.
    """

    def __init__(self, session: str | None = None) -> None:
        self.session = session or uuid.uuid4().hex
        self._count = 0

    def make(self, msg_type: str, content: dict[str, Any], *, channel: Channel = "shell") -> Message:
        """A new request with an id of its own.

        Args:
            msg_type: Such as ``execute_request``.
            content: The body the type asks for.
            channel: Where it will be sent.
        """
        return Message(channel, self._header(msg_type), {}, content)

    def execute(
        self,
        code: str,
        *,
        allow_stdin: bool = False,
        silent: bool = False,
        user_expressions: dict[str, str] | None = None,
    ) -> Message:
        """An ``execute_request`` for one cell.

        Args:
            code: The source of the cell.
            allow_stdin: Whether ``input()`` may ask us.
            silent: Run without output and without counting it as a cell.
            user_expressions: Expressions the kernel evaluates after the code; their values come with the reply.

        Raises:
            ConfigError: The code is no text that a kernel could read.
        """
        check_code(code)
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": user_expressions or {},
            "allow_stdin": allow_stdin,
            "stop_on_error": True,
        }
        return self.make("execute_request", content)

    def again(self, request: Message) -> Message:
        """The same request under a new id.

        Args:
            request: What was sent before.
        """
        return self.make(request.msg_type, request.content, channel=request.channel)

    def reply_to(self, request: Message, msg_type: str, content: dict[str, Any]) -> Message:
        """A message that answers one of the kernel's own requests, such as ``input_request``.

        Args:
            request: What the kernel asked.
            msg_type: The type of the answer.
            content: Its body.
        """
        return Message(request.channel, self._header(msg_type), request.header, content)

    def _header(self, msg_type: str) -> dict[str, Any]:
        self._count += 1
        return {
            "msg_id": f"{self.session}_{os.getpid()}_{self._count}",
            "msg_type": msg_type,
            "username": "cellblock",
            "session": self.session,
            "date": datetime.now(UTC).isoformat(),
            "version": PROTOCOL_VERSION,
        }


def check_code(code: str) -> None:
    """Sees whether a text can be the code of a cell.

    Args:
        code: The source.

    Raises:
        ConfigError: No kernel can be sent that; the message says why.
    """
    if not isinstance(code, str):
        raise ConfigError(f"The code of a cell must be text; it was {type(code).__name__}.")
    try:
        code.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"The code cannot be run: its character {error.start + 1} is half of a surrogate pair. Remove it."
        ) from None
