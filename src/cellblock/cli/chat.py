"""``cellblock chat``: a task for a model, which writes code, and a kernel, which runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["chat"]


def chat(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="What to do; may be left out with --replay.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="NAME", envvar="CELLBLOCK_MODEL", help="The model that writes the code."),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="OPENAI_BASE_URL", help="Where it is: any server that speaks OpenAI's API."),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A transcript: its messages take the model's place, until they are over."),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help="Where code runs: embedded, local, docker, or a Jupyter server's URL, with its token or with JUPYTER_TOKEN.",
        ),
    ] = "embedded",
    kernel: Annotated[str, typer.Option(metavar="NAME", help="The kernel to run on.")] = "python3",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Time for the code of one message.")] = 60.0,
    max_turns: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="How often the model may speak.")] = 20,
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="Let the code do what you can do: with your files, by your network.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A host the code may connect to, such as packages.example.org; may be given again."
        ),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask before each block: run, edit, skip or stop.")] = False,
    images: Annotated[bool, typer.Option("--images", help="Show the model the images its code makes.")] = False,
    output_dir: Annotated[
        Path, typer.Option(metavar="DIRECTORY", help="Where chat.md, chat.ipynb and the files of the code go.")
    ] = Path("chat"),
) -> None:
    """Have a model solve a task by writing code that is run.

    The code runs in a sandbox: of your files it sees those in the output directory's folder "files", where it works, and it
    has no network. What is said and what the code shows is printed as it happens, and kept as a transcript and as an executed
    notebook. The key of the model is taken from OPENAI_API_KEY or ANTHROPIC_API_KEY. The exit status is 0, 1 if the model
    failed, 130 after Ctrl-C, or 2 if nothing could be begun.
    """
    from cellblock.cli.chat_command import ChatOptions, hold_chat

    options = ChatOptions(
        task=task,
        model=model,
        base_url=base_url,
        replay=replay,
        backend=backend,
        kernel=kernel,
        timeout=timeout,
        max_turns=max_turns,
        sandbox=not no_sandbox,
        allow_hosts=tuple(allow_host or ()),
        ask=ask,
        images=images,
        output_dir=output_dir,
    )
    try:
        status = hold_chat(options)
    except KeyboardInterrupt:  # before the chat has begun
        status = 130
    raise typer.Exit(status)
