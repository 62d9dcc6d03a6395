"""A person's approval of each block before it runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.cli.chat_decisions import Changed, Decision, Skipped, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock.coding.base import CodeBlock

__all__ = ["decide"]

_QUESTION = "Run {which}? [r]un, [e]dit, [s]kip, s[t]op: "


def decide(block: CodeBlock, ask: Callable[[str], str], *, number: int = 1, of: int = 1) -> Decision | None:
    """What a person decides about a block; None to run it as it is.

    Args:
        block: What would run.
        ask: Asks a question and gives the answer.
        number: Which of the message's blocks it is, from 1.
        of: How many blocks the message has.
    """
    kind = block.language or "nameless"
    which = f"this {kind} block" if of == 1 else f"block {number} of {of} ({kind})"
    code = block.code
    while True:
        try:
            answer = ask(_QUESTION.format(which=which)).strip().lower()
        except EOFError:
            answer = "stop"
        if answer in ("r", "run"):
            return None if code == block.code else Changed(code)
        if answer in ("s", "skip"):
            return Skipped()
        if answer in ("t", "stop"):
            return Stopped()
        if answer in ("e", "edit"):
            code = _edited(code)
            print(code)


def _edited(code: str) -> str:
    """The code as a person leaves it in an editor."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if sys.platform == "win32" else "vi")
    with tempfile.TemporaryDirectory(prefix="cellblock-") as directory:
        file = Path(directory) / "block.py"
        file.write_text(code, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(file)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"cellblock: the editor {editor} failed ({error}). Set EDITOR to another.", file=sys.stderr)
        return file.read_text(encoding="utf-8").removesuffix("\n")
