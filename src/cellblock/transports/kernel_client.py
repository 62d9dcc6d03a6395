"""AutoGen's blocking client of one kernel on a Jupyter server.

It runs code and hands back what came, with none of a session's care for deadlines, deaths and restarts. It is here for
code written for AutoGen; new code has ``cellblock.Session``.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cellblock._core.execution import Execution
from cellblock._core.messages import Requests
from cellblock._core.outputs import DisplayOutput, ErrorOutput, Output, ResultOutput, StreamOutput
from cellblock._core.results import CellStatus
from cellblock.background import background_loop
from cellblock.transports.websocket import WebSocketTransport

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from cellblock._core.connection_info import JupyterConnectionInfo

__all__ = ["DataItem", "ExecutionResult", "JupyterKernelClient"]


@dataclass(frozen=True)
class DataItem:
    """One form of an object the code showed.

    Attributes:
        mime_type: Which form.
        data: Its content: base64 for images, JSON for structured types, otherwise text.
    """

    mime_type: str
    data: str


@dataclass(frozen=True)
class ExecutionResult:
    """What running a piece of code came to.

    Attributes:
        is_ok: Whether it ended in time and without an exception.
        output: The text it wrote and the text of what it showed, or the error.
        data_items: What it showed in other forms than plain text.
    """

    is_ok: bool
    output: str
    data_items: list[DataItem] = field(default_factory=list)


class JupyterKernelClient:
    """Runs code in a kernel that runs on a Jupyter server.

    Args:
        connection_info: Where the server is.
        kernel_id: The kernel.

    Raises:
        TransportError: The server or the kernel cannot be reached.
    """

    def __init__(self, connection_info: JupyterConnectionInfo, kernel_id: str) -> None:
        self._requests = Requests()
        self._transport = WebSocketTransport(connection_info, kernel_id)
        background_loop().call(self._transport.open())

    def wait_for_ready(self, timeout_seconds: float | None = None) -> bool:
        """Whether the kernel answers within the time; without a time, waits until it does."""
        return background_loop().call(self._wait_for_ready(timeout_seconds))

    def execute(self, code: str, timeout_seconds: float | None = None) -> ExecutionResult:
        """Runs code and waits for its end.

        Args:
            code: What to run.
            timeout_seconds: For the whole of it; when it is up the code is left running.
        """
        return background_loop().call(self._execute(code, timeout_seconds))

    def stop(self) -> None:
        """Closes the connection; the kernel is left running."""
        background_loop().call(self._transport.close())

    async def _wait_for_ready(self, seconds: float | None) -> bool:
        request = self._requests.make("kernel_info_request", {})
        try:
            async with asyncio.timeout(seconds):
                await self._transport.send(request)
                while True:
                    message = await self._transport.receive()
                    if message.parent_id == request.msg_id and message.channel == "shell":
                        return True
        except TimeoutError:
            return False

    async def _execute(self, code: str, seconds: float | None) -> ExecutionResult:
        request = self._requests.execute(code)
        execution = Execution(request)
        outputs: list[Output] = []
        try:
            async with asyncio.timeout(seconds):
                await self._transport.send(request)
                while not execution.over:
                    output = execution.receive(await self._transport.receive())
                    outputs += [output] if output is not None else []
        except TimeoutError:
            return ExecutionResult(is_ok=False, output="ERROR: Timeout waiting for output from code block.")
        return _result(execution, outputs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _result(execution: Execution, outputs: list[Output]) -> ExecutionResult:
    items = [item for output in outputs for item in _data_items(output)]
    if execution.error is not None:
        return ExecutionResult(is_ok=False, output=_error_text(execution.error), data_items=items)
    if execution.status is CellStatus.NOT_RUN:
        return ExecutionResult(is_ok=False, output="ERROR: The code did not run: code sent before it failed.")
    return ExecutionResult(is_ok=True, output="".join(map(_text, outputs)), data_items=items)


def _text(output: Output) -> str:
    if isinstance(output, StreamOutput):
        return output.text
    if isinstance(output, DisplayOutput | ResultOutput) and "text/plain" in output.data:
        return f"{output.data['text/plain']}\n"
    return ""


def _data_items(output: Output) -> list[DataItem]:
    if not isinstance(output, DisplayOutput | ResultOutput):
        return []
    forms = ((kind, data) for kind, data in output.data.items() if kind != "text/plain")
    return [DataItem(kind, data if isinstance(data, str) else json.dumps(data)) for kind, data in forms]


def _error_text(error: ErrorOutput) -> str:
    return "\n".join((f"ERROR: {error.ename}: {error.evalue}", *error.traceback))
