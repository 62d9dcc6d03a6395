"""System messages for the model that writes the code: what each kind of executor really does.

Use one as it is, or add to it what the executor's ``format_functions_for_prompt()`` gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMAND_LINE_PROMPT", "DOCKER_COMMAND_LINE_PROMPT", "JUPYTER_PROMPT", "jupyter_prompt"]

_MANNERS = """\
Work step by step: write code, read what it printed, go on from there. Everything in fenced code blocks is run as it is, and \
nobody can edit it or fill in a gap, so fence only complete code that is meant to run, and name its language.
If a block fails, say what was wrong and send it corrected; do not send the same block again.
When the output shows that the task is solved, give the result in a sentence and then reply with the one word TERMINATE."""

_PACKAGES = "`%pip install package` installs what is missing."

JUPYTER_PROMPT = f"""\
You solve tasks with Python. Your ```python blocks run as cells of one live Jupyter kernel, in order.
- Variables, imports and functions stay from block to block and from message to message. Do not repeat what has run.
- A block that raises stops the blocks after it; what it did before the error stays done. Send again only from that block on.
- The value of a block's last line is shown; print() shows more. `!command`, `%magic` and top-level `await` work.
- {_PACKAGES}
- Figures, images and HTML tables are saved to files, and you are told their paths; show them with display() or plt.show().
- There is a time limit for each message of yours. A block that runs into it is interrupted; variables usually stay, and you \
are told if they were lost.
- input() does not work.
{_MANNERS}"""
"""For ``JupyterCodeExecutor`` and ``EmbeddedIPythonCodeExecutor``."""

COMMAND_LINE_PROMPT = f"""\
You solve tasks with code. Each ```python or ```sh block is saved as a file and run in a new process, in one working directory.
- Nothing but files stays from block to block: begin each block with its imports, and save in files what a later one needs.
- Only what is printed comes back to you: use print().
- A first line `# filename: name.py` in a block names its file, so that later blocks can import it.
- `pip install package` in a sh block installs what is missing.
- A block that fails stops the blocks after it. There is a time limit for each message of yours; a block that runs into it is \
killed, and you see what it printed before.
- input() does not work.
{_MANNERS}"""
"""For ``LocalCommandLineCodeExecutor``."""

DOCKER_COMMAND_LINE_PROMPT = COMMAND_LINE_PROMPT.replace(
    "in one working directory.", "in one working directory of a Linux container, with root's rights."
)
"""For ``DockerCommandLineCodeExecutor``."""


def jupyter_prompt(*, seconds: float, images: bool = False, hosts: Sequence[str] | None = None) -> str:
    """``JUPYTER_PROMPT`` with what is known of one executor.

    Args:
        seconds: The time limit of a message's blocks.
        images: Whether the model is shown the images its code makes.
        hosts: The hosts that code may connect to, as given to a sandbox; None if nothing confines it.
    """
    prompt = JUPYTER_PROMPT.replace(
        "There is a time limit for each message of yours.", f"The blocks of one message may take {seconds:g} seconds."
    )
    if images:
        prompt = prompt.replace("and you are told their paths;", "and you are shown the images;")
    if hosts:
        prompt = prompt.replace(_PACKAGES, f"Only these hosts can be reached: {', '.join(hosts)}. {_PACKAGES}")
    elif hosts is not None:
        prompt = prompt.replace(_PACKAGES, "There is no network, so nothing can be installed or downloaded.")
    return prompt
