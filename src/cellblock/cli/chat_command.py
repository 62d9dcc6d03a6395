"""What ``cellblock chat`` does. Its options are declared in ``chat``, which ``--help`` imports without this."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cellblock.agentchat.agent import Agent
from cellblock.agentchat.conversable_agent import ConversableAgent
from cellblock.agentchat.io import IOConsole, IOStream
from cellblock.agentchat.prompts import jupyter_prompt
from cellblock.cli.block_files import make_directory
from cellblock.cli.chat_executor import ChatExecutor, ChatStopped
from cellblock.cli.chat_place import ChatPlace
from cellblock.cli.chat_record import ChatRecord
from cellblock.cli.chat_script import ChatScript
from cellblock.cli.chat_transcript import RUNNER, USER, WRITER, Transcript, read_transcript
from cellblock.cli.chat_view import ChatView
from cellblock.cli.options import checked_seconds
from cellblock.cli.progress import shown_path
from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor, content_text
from cellblock.errors import CellblockError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from cellblock.agentchat.chat import ChatResult
    from cellblock.agentchat.messages import Message

__all__ = ["ChatOptions", "hold_chat"]

_GO_ON = "There was no code to run. Go on, or reply with the one word TERMINATE if the task is solved."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOptions:
    """The options of ``cellblock chat``.

    Attributes:
        task: What to do; None for the transcript's.
        model: The model's name.
        base_url: Where it is.
        replay: A transcript whose messages take the model's place until they are over.
        backend: "embedded", "local", "docker" or a Jupyter server's URL.
        kernel: The kernelspec's name.
        timeout: Seconds for the code of one message.
        max_turns: How often the model may speak.
        sandbox: Confine the code where it runs on this machine.
        allow_hosts: Hosts that confined code may connect to.
        ask: Ask before each block.
        images: Show the model the images its code makes.
        output_dir: Where everything goes that is kept.
    """

    task: str | None
    model: str | None
    base_url: str | None
    replay: Path | None
    backend: str
    kernel: str
    timeout: float
    max_turns: int
    sandbox: bool
    allow_hosts: tuple[str, ...]
    ask: bool
    images: bool
    output_dir: Path


def hold_chat(options: ChatOptions) -> int:
    """Holds a chat, shows it and writes it down.

    Returns:
        The exit status.

    Raises:
        CellblockError: It could not be begun.
    """
    checked_seconds(options.timeout)
    transcript = read_transcript(options.replay) if options.replay else Transcript()
    task = options.task or transcript.task
    if not task:
        raise ConfigError("Say what to do: cellblock chat TASK.")
    place = ChatPlace(
        options.backend, options.kernel, options.output_dir, sandbox=options.sandbox, allow_hosts=options.allow_hosts
    )
    script = ChatScript(transcript.replies)
    writer = _writer(options, script, place.hosts)
    make_directory(options.output_dir)
    view = ChatView(Console(highlight=False, markup=False, emoji=False))
    with (
        ChatRecord(options.output_dir, options.kernel) as record,
        place.executor(timeout=options.timeout, on_output=view.output) as executor,
    ):
        runner = _runner(options, ChatExecutor(executor, view, record, script, input if options.ask else None))
        _watch(runner, writer, view, record)
        status = _talk(runner, writer, task, options, view)
    view.note(
        f"Transcript: {shown_path(record.transcript.absolute())}\nNotebook: {shown_path(record.notebook.absolute())}"
    )
    return status


def _talk(runner: ConversableAgent, writer: ConversableAgent, task: str, options: ChatOptions, view: ChatView) -> int:
    try:
        with IOStream.set_default(_ShownByUs()):
            result = runner.initiate_chat(
                writer, message=task, max_turns=options.max_turns, silent=True, summary_method=None
            )
    except KeyboardInterrupt:
        view.note("Interrupted.")
        return 130
    except ChatStopped as stop:
        view.note(str(stop))
        return 0
    except Exception as error:
        if not isinstance(error, (CellblockError, TimeoutError, *_errors_of_models())):
            raise
        sentences = (str(error), *getattr(error, "__notes__", ()))
        print("cellblock:", *(sentence.removesuffix(".") + "." for sentence in sentences), file=sys.stderr)
        return 1
    view.note(_end(result))
    return 0


def _end(result: ChatResult) -> str:
    usage = (result.cost or {}).get("usage_including_cached_inference", {})
    tokens = sum(model["total_tokens"] for name, model in usage.items() if name != "total_cost")
    if not tokens:
        return result.stop_reason
    cost = "unknown cost" if result.unknown_costs else f"${usage['total_cost']:.4f}"
    return f"{result.stop_reason} {tokens} tokens, {cost}."


def _runner(options: ChatOptions, executor: ChatExecutor) -> ConversableAgent:
    extractor = MarkdownCodeExtractor()

    def is_the_end(message: Message) -> bool:
        text = content_text(message.get("content"))
        return text.rstrip(" \n.*'\"").endswith("TERMINATE") and not extractor.extract_code_blocks(text)

    return ConversableAgent(
        RUNNER,
        llm_config=False,
        human_input_mode="NEVER",
        is_termination_msg=is_the_end,
        code_execution_config={"executor": executor, "send_images": options.images},
        default_auto_reply=_GO_ON,
    )


def _writer(options: ChatOptions, script: ChatScript, hosts: tuple[str, ...] | None) -> ConversableAgent:
    """The agent that says what was recorded and then what the model says; without a model, no more."""
    if options.model is None and options.replay is None:
        raise ConfigError("Name a model: cellblock chat --model NAME TASK, or --replay a transcript.")
    agent = ConversableAgent(
        WRITER,
        jupyter_prompt(seconds=options.timeout, images=options.images, hosts=hosts),
        human_input_mode="NEVER",
        llm_config=_llm_config(options.model, options.base_url) if options.model else False,
    )

    def recorded(*_: object, **__: object) -> tuple[bool, str | None]:
        reply = script.next_reply()
        return reply is not None or options.model is None, reply

    agent.register_reply([Agent, None], recorded)
    return agent


def _llm_config(model: str, base_url: str | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"model": model}
    if base_url is not None:
        entry |= {"base_url": base_url, "api_key": os.environ.get("OPENAI_API_KEY") or "none"}
    elif model.startswith("claude"):
        entry["api_type"] = "anthropic"
    elif not os.environ.get("OPENAI_API_KEY"):
        raise ConfigError(
            "Set OPENAI_API_KEY to the model's key, or say with --base-url where a server without keys is."
        )
    return {"config_list": [entry], "cache_seed": None}


def _errors_of_models() -> tuple[type[Exception], ...]:
    """What the libraries that were used raise."""
    libraries = [sys.modules[name] for name in ("openai", "anthropic") if name in sys.modules]
    return tuple(library.APIError for library in libraries)


def _watch(runner: ConversableAgent, writer: ConversableAgent, view: ChatView, record: ChatRecord) -> None:
    """Has every message shown and written down as it is sent; the outcome of code has been shown as it came."""
    spoken: list[str] = []

    def hear(*, sender: Agent, message: Message | str, **_: object) -> Message | str:
        text = message if isinstance(message, str) else content_text(message.get("content"))
        speaker = sender.name if spoken else USER
        spoken.append(speaker)
        record.add_message(speaker, text)
        if speaker != RUNNER or text == _GO_ON:
            view.message(speaker, text)
        return message

    for agent in (runner, writer):
        agent.register_hook("process_message_before_send", hear)


class _ShownByUs(IOConsole):
    """Leaves out what the agents would print of themselves."""

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        """Prints nothing."""
