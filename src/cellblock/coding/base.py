"""What an executor is: AutoGen 0.2's protocol, unchanged, and the results it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypedDict, runtime_checkable

from cellblock._core.blocks import CodeBlock, CodeResult, CommandLineCodeResult, IPythonCodeResult

__all__ = [
    "AsyncCodeExecutor",
    "CodeBlock",
    "CodeExecutionConfig",
    "CodeExecutor",
    "CodeExtractor",
    "CodeResult",
    "CommandLineCodeResult",
    "IPythonCodeResult",
    "MessageContent",
]

MessageContent = str | list[dict[str, Any]] | None
"""What a chat message says: text, or parts (``{"type": "text", …}``, ``{"type": "image_url", …}``), or nothing."""


@runtime_checkable
class CodeExtractor(Protocol):
    """Finds the code in a message."""

    def extract_code_blocks(self, message: MessageContent) -> list[CodeBlock]:
        """The code blocks of a message, in order.

        Args:
            message: A message's content.
        """
        ...


@runtime_checkable
class CodeExecutor(Protocol):
    """Runs code blocks. Any object with these three members is one; inheriting from this class is optional.

    Check an implementation with ``cellblock.testing.ExecutorContract``.
    """

    @property
    def code_extractor(self) -> CodeExtractor:
        """How an agent finds the blocks for this executor in a message."""
        ...

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CodeResult:
        """Runs the blocks in order and stops after the first that fails.

        Args:
            code_blocks: What to run.
        """
        ...

    def restart(self) -> None:
        """Forgets the state the blocks so far have left. An agent's ``reset()`` calls it."""
        ...


@runtime_checkable
class AsyncCodeExecutor(CodeExecutor, Protocol):
    """An executor that can also be awaited. A chat that is asynchronous runs others in a thread."""

    async def a_execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CodeResult:
        """As ``execute_code_blocks``, without blocking the event loop. Cancelling it ends the running block.

        Args:
            code_blocks: What to run.
        """
        ...


CodeExecutionConfig = TypedDict(
    "CodeExecutionConfig",
    {
        "executor": Literal["ipython-embedded", "commandline-local"] | CodeExecutor,
        "last_n_messages": int | Literal["auto"],
        "max_repeats": int | None,
        "send_images": bool,
        "timeout": int,
        "use_docker": bool | str | list[str] | None,
        "work_dir": str,
        "ipython-embedded": Mapping[str, Any],
        "commandline-local": Mapping[str, Any],
    },
    total=False,
)
"""An agent's ``code_execution_config``.

``executor`` excludes ``timeout``, ``use_docker`` and ``work_dir``, which belong to AutoGen's older form without one.
``max_repeats`` and ``send_images`` are additions of cellblock; see the agents' documentation.
"""
