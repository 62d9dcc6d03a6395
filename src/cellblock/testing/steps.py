"""What can happen in a script: the messages a kernel says, and everything else.

A step is any function of a ``Stage``; those of a test's own are as good as these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellblock._core.messages import Channel
    from cellblock.testing.scripted import Stage

__all__ = [
    "Say",
    "Step",
    "after",
    "asks",
    "busy",
    "clear",
    "dies",
    "display",
    "error",
    "fails",
    "foreign",
    "hangs_up",
    "idle",
    "interrupted",
    "lost",
    "repeats",
    "reply",
    "result",
    "say",
    "stream",
    "waits_for",
]

Step = Callable[["Stage"], Awaitable[None]]
"""One thing that happens: a function of this module, or any ``async def step(stage)`` of a test."""


@dataclass(frozen=True)
class Say:
    """The step that says a message. Made by the functions below.

    Attributes:
        channel: Where.
        msg_type: Its type; empty for the reply to the request.
        content: Its body.
        lost: Whether it only takes a number and never arrives.
        foreign: Whether it belongs to the request of another client.
    """

    channel: Channel
    msg_type: str
    content: Mapping[str, Any]
    lost: bool = False
    foreign: bool = False

    async def __call__(self, stage: Stage) -> None:
        """Says it."""
        stage.said.append(stage.transport.say(self, stage.request))


# What a kernel says


def say(channel: Channel, msg_type: str, content: Mapping[str, Any]) -> Say:
    """Any message.

    Args:
        channel: Where.
        msg_type: Its type.
        content: Its body.
    """
    return Say(channel, msg_type, content)


def busy() -> Say:
    """The kernel has begun with the request."""
    return say("iopub", "status", {"execution_state": "busy"})


def idle() -> Say:
    """The kernel is done with the request."""
    return say("iopub", "status", {"execution_state": "idle"})


def reply(status: str = "ok", content: Mapping[str, Any] | None = None) -> Say:
    """The request's reply.

    Args:
        status: "ok", "error" or "aborted".
        content: What it holds beside.
    """
    return Say("shell", "", {"status": status, "execution_count": 1, **(content or {})})


def stream(text: str, name: str = "stdout") -> Say:
    """Printed text."""
    return say("iopub", "stream", {"name": name, "text": text})


def result(text: str) -> Say:
    """The value of the cell's last expression."""
    return say("iopub", "execute_result", {"data": {"text/plain": text}, "metadata": {}, "execution_count": 1})


def display(data: Mapping[str, Any], display_id: str | None = None, *, update: bool = False) -> Say:
    """A displayed object.

    Args:
        data: Its MIME bundle.
        display_id: What updates name it by.
        update: Whether this is an update.
    """
    transient = {} if display_id is None else {"display_id": display_id}
    content = {"data": dict(data), "metadata": {}, "transient": transient}
    return say("iopub", "update_display_data" if update else "display_data", content)


def clear(*, wait: bool = False) -> Say:
    """What was shown is to be cleared."""
    return say("iopub", "clear_output", {"wait": wait})


def error(ename: str, evalue: str = "") -> Say:
    """An exception."""
    return say("iopub", "error", {"ename": ename, "evalue": evalue, "traceback": [f"{ename}: {evalue}"]})


def lost(message: Say) -> Say:
    """A message that takes its number and never arrives."""
    return replace(message, lost=True)


def foreign(message: Say) -> Say:
    """A message that belongs to the request of another client."""
    return replace(message, foreign=True)


# What else happens


def after(seconds: float) -> Step:
    """Time passes."""

    async def step(stage: Stage) -> None:  # noqa: ARG001
        await asyncio.sleep(seconds)

    return step


def waits_for(event: Callable[[], Awaitable[object]]) -> Step:
    """Nothing happens until something of the test's has.

    Args:
        event: Such as ``asyncio.Event().wait``.
    """

    async def step(stage: Stage) -> None:  # noqa: ARG001
        await event()

    return step


def interrupted(times: int = 1) -> Step:
    """The cell runs until it is interrupted.

    Args:
        times: How many interrupts it takes.
    """

    async def step(stage: Stage) -> None:
        for _ in range(times):
            await stage.transport.interrupted.wait()
            stage.transport.interrupted.clear()

    return step


def asks(prompt: str, *, password: bool = False) -> Step:
    """The cell calls ``input()`` and waits for the answer, which is then in ``kernel.received``, or for an interrupt."""

    async def step(stage: Stage) -> None:
        question = Say("stdin", "input_request", {"prompt": prompt, "password": password})
        await stage.transport.answer_to(stage.transport.say(question, stage.request))

    return step


def repeats() -> Step:
    """Everything said to this request so far arrives once more, lost messages as well."""

    async def step(stage: Stage) -> None:
        for message in stage.said:
            stage.transport.put(message)

    return step


def dies(cause: str, last_words: bytes = b"") -> Step:
    """The kernel dies.

    Args:
        cause: The sentence that says why.
        last_words: What it wrote last, as ``Kernel.last_words`` gives it.
    """

    async def step(stage: Stage) -> None:
        stage.kernel.die(cause, last_words)

    return step


def hangs_up() -> Step:
    """The connection ends, and nobody knows anything of the kernel."""

    async def step(stage: Stage) -> None:
        stage.transport.hang_up()

    return step


def fails(failure: Exception) -> Step:
    """The kernel does not start.

    Args:
        failure: What ``start`` raises.
    """

    async def step(stage: Stage) -> None:  # noqa: ARG001
        raise failure

    return step
