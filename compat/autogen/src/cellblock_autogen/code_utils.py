"""``autogen.code_utils``: AutoGen's older functions for code in texts and for running it."""

from __future__ import annotations

import re
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from cellblock._core.markdown import extract_blocks, infer_language
from cellblock.coding import legacy_execution
from cellblock.coding.languages import interpreter as _cmd
from cellblock.coding.legacy_execution import (
    DEFAULT_TIMEOUT,
    check_can_use_docker_or_throw,
    decide_use_docker,
    in_docker_container,
    is_docker_running,
)
from cellblock.coding.markdown_code_extractor import content_text as content_str
from cellblock.coding.virtual_env import create_virtual_env

if TYPE_CHECKING:
    from pathlib import Path

    from cellblock.coding.base import MessageContent

__all__ = [
    "CODE_BLOCK_PATTERN",
    "DEFAULT_MODEL",
    "DEFAULT_TIMEOUT",
    "FAST_MODEL",
    "PYTHON_VARIANTS",
    "TIMEOUT_MSG",
    "UNKNOWN",
    "WIN32",
    "_cmd",
    "check_can_use_docker_or_throw",
    "content_str",
    "create_virtual_env",
    "decide_use_docker",
    "execute_code",
    "extract_code",
    "in_docker_container",
    "infer_lang",
    "is_docker_running",
]

CODE_BLOCK_PATTERN = r"```[ \t]*(\w+)?[ \t]*\r?\n(.*?)\r?\n[ \t]*```"
DEFAULT_MODEL = "gpt-4"
FAST_MODEL = "gpt-3.5-turbo"
PYTHON_VARIANTS = ["python", "Python", "py"]
TIMEOUT_MSG = "Timeout"
UNKNOWN = "unknown"
WIN32 = sys.platform == "win32"


def infer_lang(code: str) -> str:
    """A guess at the language of code that names none; ``UNKNOWN`` if there is no guess.

    Args:
        code: The source.
    """
    return infer_language(code) or UNKNOWN


def extract_code(
    text: MessageContent, pattern: str = CODE_BLOCK_PATTERN, detect_single_line_code: bool = False
) -> list[tuple[str, str]]:
    """The languages and sources of the code blocks of a text; a language is empty where the writer named none.

    Args:
        text: A message's content.
        pattern: A regular expression with a group for the language and one for the source, in the place of Markdown's rules.
        detect_single_line_code: Whether code between single backquotes counts as well, in the place of ``pattern``.

    Returns:
        The blocks. For a text without any, the whole text as ``UNKNOWN``; nothing where single lines count.
    """
    content = content_str(text)
    if detect_single_line_code:
        return _blocks_and_single_lines(content)
    if pattern != CODE_BLOCK_PATTERN:
        blocks = re.findall(pattern, content, flags=re.DOTALL)
    else:
        blocks = [(block.language, block.code) for block in extract_blocks(dedent(content)) if block.closed]
    return blocks or [(UNKNOWN, content)]


def _blocks_and_single_lines(content: str) -> list[tuple[str, str]]:
    """Fenced blocks, and code between single backquotes in the text around them, in order."""
    text = dedent(content)
    lines = text.split("\n")
    found: list[tuple[str, str]] = []
    after = 0
    for block in extract_blocks(text):
        found += _single_lines(lines[after : block.line - 1])
        if block.closed:
            found.append((block.language, block.code.strip()))
        after = block.end_line
    return found + _single_lines(lines[after:])


def _single_lines(lines: list[str]) -> list[tuple[str, str]]:
    return [("", code.strip()) for code in re.findall(r"`([^`]+)`", "\n".join(lines))]


def execute_code(
    code: str | None = None,
    timeout: float | None = None,
    filename: str | None = None,
    work_dir: str | Path | None = None,
    use_docker: bool | str | list[str] | None = None,
    lang: str = "python",
) -> tuple[int, str, str | None]:
    """Runs code, or a file that is there, in a new process; see ``cellblock.coding.legacy_execution.execute_code``.

    Args:
        code: The source; None to run a copy of the file.
        timeout: Seconds.
        filename: The file in ``work_dir`` that the code is written to.
        work_dir: Where it runs.
        use_docker: Whether to run in a container, or the image or images to try.
        lang: "python" or a shell.

    Returns:
        The exit code, the output, and the container's image (None without Docker).

    Raises:
        AssertionError: There is neither code nor a file.
    """
    if code is None and filename is None:
        raise AssertionError("Either code or filename must be provided.")
    directory: Any = work_dir or "coding"
    if code is None:
        from pathlib import Path

        code, filename = (Path(directory) / str(filename)).read_text(encoding="utf-8"), None
    return legacy_execution.execute_code(
        code, language=lang, timeout=timeout, filename=filename, work_dir=str(directory), use_docker=use_docker
    )
