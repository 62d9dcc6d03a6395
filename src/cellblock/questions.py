"""Answering ``input()`` of a cell, while its deadline waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from cellblock._core.messages import Message
    from cellblock.running_cell import RunningCell

__all__ = ["InputHandler", "answer"]

InputHandler = Callable[[str, bool], str | Awaitable[str]]
"""Answers ``input()``: gets the prompt and whether the answer is a secret, gives the answer (or an awaitable of it)."""


async def answer(
    question: Message, cell: RunningCell, handler: InputHandler, reply: Callable[[str], Awaitable[None]]
) -> None:
    """Has a handler answer a cell's question. What the handler raises ends the cell and is raised to the caller.

    Args:
        question: The kernel's ``input_request``.
        cell: That asks; its deadline is put off by the time this takes.
        handler: Of the caller.
        reply: Sends the answer to the kernel.
    """
    began = time.monotonic()
    deadline, cell.deadline.at = cell.deadline.at, float("inf")
    try:
        prompt, secret = str(question.content.get("prompt", "")), bool(question.content.get("password"))
        said = await asyncio.to_thread(handler, prompt, secret)
        if isinstance(said, Awaitable):
            said = await said
        if not isinstance(said, str):
            raise ConfigError(f"The input handler must give text, or an awaitable of it; it gave {said!r}.")
        await reply(said)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        cell.fail(error)
    finally:
        cell.deadline.at = deadline + (time.monotonic() - began)
        cell.wake()
