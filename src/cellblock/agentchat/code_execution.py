"""An agent's execution of the code in messages: its configuration, and the replies it makes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal, cast

from cellblock.agentchat.loop_guard import LoopGuard
from cellblock.agentchat.printing import print_event
from cellblock.agentchat.result_parts import result_parts
from cellblock.coding.base import CodeResult
from cellblock.coding.factory import CodeExecutorFactory
from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from cellblock.agentchat.calls import Calls
    from cellblock.agentchat.messages import Message
    from cellblock.agentchat.replying_agent import ReplyingAgent
    from cellblock.coding.base import CodeBlock, CodeExecutionConfig, CodeExecutor

__all__ = ["CodeExecution", "code_execution_reply"]

_DEFAULT_MAX_REPEATS = 3


@dataclass
class CodeExecution:
    """How an agent runs code.

    Attributes:
        executor: What runs it.
        last_n_messages: In how many of the last messages code is looked for; "auto" for those since the agent's own last
            message, 0 for all.
        send_images: Whether images the code made become part of the reply.
        without_executor: Whether the user named no executor: then blocks run one by one, and each is announced.
        guard: Ends a chat that repeats a failing block.
    """

    executor: CodeExecutor
    last_n_messages: int | Literal["auto"] = "auto"
    send_images: bool = False
    without_executor: bool = False
    guard: LoopGuard = field(default_factory=lambda: LoopGuard(_DEFAULT_MAX_REPEATS))

    @classmethod
    def from_config(cls, config: CodeExecutionConfig | Literal[False] | None) -> CodeExecution | None:
        """What a ``code_execution_config`` asks for; None for no execution.

        Args:
            config: As an agent's constructor takes it.

        Raises:
            ConfigError: It cannot be used.
            RuntimeError: It names no executor, so that Docker is wanted, which is not running.
        """
        if config is False:
            return None
        if config is None:
            warnings.warn(
                "code_execution_config=None stands for the default. Give {} for the default, or False for no execution.",
                stacklevel=4,
            )
            config = {}
        if not isinstance(config, dict):
            raise ConfigError("code_execution_config must be a dict or False.")
        legacy = config.get("executor") is None
        if not legacy:
            for key in ("use_docker", "work_dir", "timeout"):
                if key in config:
                    raise ConfigError(
                        f"'{key}' in code_execution_config is not valid when 'executor' is set. Use the appropriate arg in "
                        "the chosen executor instead."
                    )
        return cls(
            executor=_legacy_executor(config) if legacy else CodeExecutorFactory.create(config),
            last_n_messages=config.get("last_n_messages", "auto"),
            send_images=config.get("send_images", False),
            without_executor=legacy,
            guard=LoopGuard(config.get("max_repeats", _DEFAULT_MAX_REPEATS)),
        )


async def code_execution_reply(
    calls: Calls, agent: ReplyingAgent, execution: CodeExecution | None, messages: list[Message]
) -> tuple[bool, Message | str | None]:
    """Runs the code of the newest message that has any, and replies with what it came to.

    Args:
        calls: Makes the calls.
        agent: Whose reply it is.
        execution: How code is run; None if it is not.
        messages: The chat so far.

    Returns:
        Whether there was code, and the reply; None ends the chat.
    """
    if execution is None:
        return False, None
    blocks = _newest_blocks(execution, messages)
    if not blocks:
        return False, None
    if objection := execution.guard.objection(blocks):
        print_event(f"STOPPING: {objection}")
        agent.stop_reason = objection
        return True, None
    if not execution.without_executor:
        _announce(blocks)
    result = await calls.execute(execution.executor, blocks)
    execution.guard.note(blocks, result.exit_code)
    return True, _reply(result, execution.send_images)


def _newest_blocks(execution: CodeExecution, messages: list[Message]) -> list[CodeBlock]:
    for message in reversed(_in_reach(execution.last_n_messages, messages)):
        if message.get("content"):
            blocks = execution.executor.code_extractor.extract_code_blocks(message["content"])
            if blocks:
                return blocks
    return []


def _in_reach(last_n_messages: Any, messages: list[Message]) -> list[Message]:
    """The messages in which code is looked for."""
    if last_n_messages == "auto":
        received = takewhile(lambda message: message.get("role") == "user", reversed(messages))
        return list(received)[::-1]
    if not isinstance(last_n_messages, int) or last_n_messages < 0:
        raise ConfigError("last_n_messages must be either a non-negative integer, or the string 'auto'.")
    return messages[-last_n_messages:]


def _announce(blocks: list[CodeBlock]) -> None:
    languages = ", ".join(block.language for block in blocks)
    if len(blocks) == 1:
        print_event(f"EXECUTING CODE BLOCK (inferred language is {languages})...")
    else:
        print_event(f"EXECUTING {len(blocks)} CODE BLOCKS (inferred languages are [{languages}])...")


def _reply(result: CodeResult, send_images: bool) -> Message | str:
    outcome = "execution succeeded" if result.exit_code == 0 else "execution failed"
    header = f"exitcode: {result.exit_code} ({outcome})\nCode output: "
    if send_images:
        parts = result_parts(result)
        if any(part["type"] == "image_url" for part in parts):
            text = parts.pop(0)["text"] if parts[0]["type"] == "text" else ""
            return {"content": [{"type": "text", "text": header + text}, *parts]}
    return header + result.output


class _LegacyExecutor:
    """Runs each block on its own, as AutoGen's agents do that have no executor."""

    def __init__(self, config: CodeExecutionConfig) -> None:
        from cellblock.coding.legacy_execution import check_can_use_docker_or_throw, decide_use_docker

        self._use_docker = decide_use_docker(config.get("use_docker"))
        check_can_use_docker_or_throw(self._use_docker)
        self._timeout, self._work_dir = config.get("timeout"), config.get("work_dir")
        self.code_extractor = MarkdownCodeExtractor()

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CodeResult:
        from cellblock.coding.legacy_execution import execute_code

        exit_code, output = 0, ""
        for number, block in enumerate(code_blocks):
            language = block.language or "unknown"
            print_event(f"EXECUTING CODE BLOCK {number} (inferred language is {language})...")
            exit_code, text, _ = execute_code(
                block.code,
                language=language,
                timeout=self._timeout,
                work_dir=self._work_dir,
                use_docker=self._use_docker,
            )
            output += f"\n{text}"
            if exit_code != 0:
                break
        return CodeResult(exit_code=exit_code, output=output)

    def restart(self) -> None:
        """Does nothing: there is nothing to forget."""


def _legacy_executor(config: CodeExecutionConfig) -> CodeExecutor:
    return cast("CodeExecutor", _LegacyExecutor(config))
