"""A kernel that says what a test tells it to, for what no real kernel does on demand.

A test reads as a conversation: when this code comes, these things happen, in this order::

    from cellblock.testing.steps import busy, dies, idle, lost, reply, result, stream

    script = Script()
    script.on("6 * 7", busy(), result("42"), reply(), idle())
    script.on("lossy", busy(), lost(stream("never arrives")), reply(), lost(idle()))
    script.on("dies", busy(), stream("last words"), dies("The kernel exited with code 7."))
    async with AsyncSession(ScriptedKernel(script)) as session:
        assert (await session.run("6 * 7")).text == "42"

What is said has numbers as ipykernel gives them, so that losses are counted. Requests on the shell channel are answered one
after another, as a kernel does; ``kernel_info_request`` is answered without being scripted.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cellblock._core.messages import Message, Requests
from cellblock.errors import Disconnected, LocalProtocolError
from cellblock.testing.steps import Say, Step, busy, idle, reply

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Script", "ScriptedKernel", "ScriptedTransport", "Stage"]


class Script:
    """What a kernel does at each request.

    Steps given for the same request again are for the next time it comes; the last ones given stay.
    """

    def __init__(self) -> None:
        self._answers: dict[str, deque[Sequence[Step]]] = {}
        self._starts: deque[Sequence[Step]] = deque()
        self.on_request("kernel_info_request", busy(), reply(), idle())

    def on(self, code: str, *steps: Step) -> None:
        """Says what happens when a cell is to be run.

        Args:
            code: The cell's whole source.
            steps: What happens, in order.
        """
        self._answers.setdefault(_cell(code), deque()).append(steps)

    def on_request(self, msg_type: str, *steps: Step) -> None:
        """Says what happens when any other request comes, instead of what happened before.

        Args:
            msg_type: Such as ``kernel_info_request``.
            steps: What happens, in order; nothing at all leaves the request without an answer.
        """
        self._answers[msg_type] = deque([steps])

    def on_start(self, *steps: Step) -> None:
        """Says what happens when the kernel is started, before it is ready.

        Args:
            steps: Of ``after``, ``waits_for`` and ``fails``.
        """
        self._starts.append(steps)

    def answer_to(self, request: Message) -> Sequence[Step]:
        """The steps for a request that has come.

        Args:
            request: What the session sent.

        Raises:
            LocalProtocolError: The script does not say what happens then.
        """
        code = request.content.get("code", "")
        answers = self._answers.get(_cell(code) if request.msg_type == "execute_request" else request.msg_type)
        if answers is None:
            raise LocalProtocolError(f"The script has no answer to {request.msg_type} {code!r}.")
        return _next(answers)

    def next_start(self) -> Sequence[Step]:
        """The steps for a start."""
        return _next(self._starts) if self._starts else ()


class ScriptedKernel:
    """A ``Kernel`` that plays a script.

    Args:
        script: What it does.
        language: Of the code it claims to run.
        is_ours: Whether it claims to have been started by its session.

    Attributes:
        name: "scripted".
        language: See above.
        is_ours: See above.
        resumed: Whether it says that it is the very kernel that ran before; a step of its start may say so.
        process: What its messages name as their sender.
        starts: How often it was started.
        stops: How often it was stopped.
        interrupts: How often it was interrupted.
        received: Everything it was sent, in order.
    """

    name = "scripted"

    def __init__(self, script: Script, *, language: str = "python", is_ours: bool = True) -> None:
        self.language = language
        self.is_ours = is_ours
        self.resumed = False
        self.process = uuid.uuid4().hex
        self.starts = self.stops = self.interrupts = 0
        self.received: list[Message] = []
        self._script = script
        self._died: asyncio.Future[str] | None = None
        self._last_words = b""
        self._transport: ScriptedTransport | None = None

    @property
    def died(self) -> asyncio.Future[str]:
        """Resolves when the script lets the kernel die."""
        if self._died is None:
            self._died = asyncio.get_running_loop().create_future()
        return self._died

    def last_words(self) -> bytes:
        """What the script gave ``dies``."""
        return self._last_words

    async def start(self, *, afresh: bool = False) -> ScriptedTransport:  # noqa: ARG002
        """Plays the script's steps for a start, and connects.

        Args:
            afresh: Always so, but for what ``resumed`` says.
        """
        await self._disconnect()
        self.starts += 1
        self._died, self._last_words = None, b""
        transport = ScriptedTransport(self, self._script)
        for step in self._script.next_start():
            await step(transport.stage(Requests().make("start", {})))
        if not self.resumed:
            self.process = uuid.uuid4().hex
        self._transport = transport
        return transport

    async def interrupt(self) -> None:
        """Lets the script go on where it waits with ``interrupted``."""
        self.interrupts += 1
        if self._transport is not None:
            self._transport.interrupted.set()

    async def stop(self) -> None:
        """Ends the conversation."""
        self.stops += 1
        await self._disconnect()

    def die(self, cause: str, last_words: bytes = b"") -> None:
        """Ends the kernel by itself, as a step of a script or at any moment of a test.

        Args:
            cause: The sentence that says why.
            last_words: What it wrote last, as ``Kernel.last_words`` gives it.
        """
        self._last_words = last_words
        if not self.died.done():
            self.died.set_result(cause)
        if self._transport is not None:
            self._transport.hang_up()

    async def _disconnect(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()


class ScriptedTransport:
    """The ``Transport`` to a scripted kernel."""

    def __init__(self, kernel: ScriptedKernel, script: Script) -> None:
        self.interrupted = asyncio.Event()
        self._kernel = kernel
        self._script = script
        self._numbers = itertools.count(1)
        self._requests: asyncio.Queue[tuple[Stage, Sequence[Step]]] = asyncio.Queue()
        self._said: asyncio.Queue[Message | None] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._ended = False
        self._playing = asyncio.create_task(self._play())

    async def send(self, message: Message) -> None:
        """Takes a request, or the answer to a question of the kernel's.

        Raises:
            Disconnected: The conversation has ended.
            LocalProtocolError: The script has no answer to it.
        """
        if self._ended:
            raise Disconnected("The scripted connection has ended.")
        self._kernel.received.append(message)
        if message.channel == "stdin":
            self._answers[message.parent_id].set_result(message)
            return
        steps = self._script.answer_to(message)
        if message.channel == "shell":
            self._requests.put_nowait((self.stage(message), steps))
        else:
            for step in steps:
                await step(self.stage(message))

    async def receive(self) -> Message:
        """Waits for what the script says next.

        Raises:
            Disconnected: The conversation has ended.
        """
        message = await self._said.get()
        if message is None:
            self._said.put_nowait(None)
            raise Disconnected("The scripted connection has ended.")
        return message

    async def close(self) -> None:
        """Ends the conversation, and raises what a step of the script has raised."""
        self.hang_up()
        self._playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._playing

    def hang_up(self) -> None:
        """Ends the connection once everything said has been received."""
        if not self._ended:
            self._ended = True
            self._said.put_nowait(None)

    def stage(self, request: Message) -> Stage:
        """Where the steps for a request are played."""
        return Stage(self._kernel, self, request)

    def say(self, message: Say, request: Message) -> Message:
        """Gives a message its number and sends it, unless it is to be lost."""
        parent = Requests("another client").make(request.msg_type, {}).header if message.foreign else request.header
        header = {
            "msg_id": f"{self._kernel.process}_1_{next(self._numbers)}",
            "msg_type": message.msg_type or request.msg_type.replace("_request", "_reply"),
            "session": self._kernel.process,
        }
        said = Message(message.channel, header, dict(parent), dict(message.content))
        if not message.lost:
            self.put(said)
        return said

    def put(self, message: Message) -> None:
        """Lets a message arrive."""
        if not self._ended:
            self._said.put_nowait(message)

    async def answer_to(self, question: Message) -> None:
        """Waits until the session has answered, or has interrupted the kernel."""
        answer = self._answers[question.msg_id] = asyncio.get_running_loop().create_future()
        interrupt = asyncio.ensure_future(self.interrupted.wait())
        await asyncio.wait((answer, interrupt), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self.interrupted.clear()
        interrupt.cancel()

    async def _play(self) -> None:
        """Requests wait for each other, as in a kernel."""
        try:
            while True:
                stage, steps = await self._requests.get()
                for step in steps:
                    await step(stage)
        finally:
            self.hang_up()


@dataclass
class Stage:
    """Where the steps for one request are played.

    Attributes:
        kernel: Who plays.
        transport: Who hears it.
        request: What the steps are an answer to.
        said: What has been said so far, lost messages included.
    """

    kernel: ScriptedKernel
    transport: ScriptedTransport
    request: Message
    said: list[Message] = field(default_factory=list)


def _cell(code: str) -> str:
    return f"execute_request {code}"


def _next(answers: deque[Sequence[Step]]) -> Sequence[Step]:
    return answers.popleft() if len(answers) > 1 else answers[0]
