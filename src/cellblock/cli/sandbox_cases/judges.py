"""What came of a case, where the code itself cannot say: looked at on the host."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock._core.outputs import ResultOutput
from cellblock._core.render import render_cell
from cellblock._core.results import CellStatus
from cellblock.cli.sandbox_cases.case import Group
from cellblock.errors import ConfigError
from cellblock.files import DirectorySink
from cellblock.guarded_files import GuardedSink
from cellblock.kernels.sandbox.workspace import Workspace

if TYPE_CHECKING:
    from cellblock._core.results import CellResult
    from cellblock.cli.sandbox_cases.case import Case
    from cellblock.session import AsyncSession

__all__ = ["after_the_session", "from_files", "from_output", "from_result", "works_still"]

_HELD_ERRORS = """
    PermissionError FileNotFoundError OSError BlockingIOError BrokenPipeError ConnectionRefusedError ConnectionResetError
    TimeoutError gaierror ProcessLookupError NotADirectoryError InterruptedError MemoryError ConnectionAbortedError
"""
_ORDERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What runs when a page is opened, but for a button's own script; and what is in a frame in which nothing runs.
_RUNS = re.compile(
    r"<script(?!>\nconst frame = document)|\bon\w+\s*=\s*[^(]*fetch|javascript:|http-equiv\s*=\s*.?refresh",
    re.IGNORECASE,
)
_FRAMED = re.compile(r'<iframe sandbox="" srcdoc="[^"]*">')
_PAUSE = 0.3  # seconds in which something that lives would show it
_WORKS_WITHIN = 30.0


def from_result(case: Case, result: CellResult) -> tuple[str, str]:
    """What a case got hold of by its own account, and why it could not be tried, each empty if not so."""
    found = result.user_expressions.get("found", {}).get("data", {}).get("text/plain", "None")
    if result.status is CellStatus.OK:
        return ("" if found == "None" else found), ""
    if (
        result.error is not None
        and result.status is CellStatus.ERROR
        and case.group not in (Group.PROTOCOL, Group.OUTPUTS)
    ):
        known = result.error.ename in _HELD_ERRORS.split() or "can't start new thread" in result.error.evalue
        return "", "" if known else f"{result.error.ename}: {result.error.evalue}"
    return "", ""


def from_output(case: Case, result: CellResult, *, is_plain: bool) -> str:
    """What whoever looks at the result would suffer."""
    if case.group is not Group.OUTPUTS:
        return ""
    with tempfile.TemporaryDirectory(prefix="cellblock-") as folder:
        sink = DirectorySink(folder) if is_plain else GuardedSink(DirectorySink(folder))
        rendered = render_cell(result, sink=sink)
        if found := _ORDERS.search(rendered.text):
            return f"the text has the control character {found[0]!r}"
        for file in map(Path, rendered.files):
            if file.parent != Path(folder) or not re.fullmatch(r"[0-9a-f]+(\.\w+)+", file.name):
                return f"a file was saved as {file}"
            if found := _RUNS.search(re.sub(_FRAMED, "", file.read_text("utf-8", "replace"))):
                return f"a file was saved that runs {found[0]!r} when it is opened"
    return ""


def from_files(case: Case, workspace: Path) -> str:
    """What taking files from the workspace, or putting them there, would do."""
    if case.group is not Group.FILES:
        return ""
    files = Workspace(workspace)
    for name in ("taken-link", "taken/deeper/link", "taken-folder/secret", "taken-pipe", "taken-socket", "taken-zeros"):
        try:
            files.read(name, most=2**20)
        except ConfigError:
            continue
        return f"{name} was taken from the workspace"
    if (workspace / "uploads").is_symlink():
        files.upload(b"mine", "uploaded")
        try:
            files.upload(b"mine", "uploads/outside")
        except ConfigError:
            return ""
        return "a file was put through a link"
    return ""


async def works_still(session: AsyncSession) -> str:
    """Whether the session runs the next cell right and in time; what it does instead, if not."""
    result = await session.run("6 * 7", timeout=_WORKS_WITHIN)
    shown = [output.data.get("text/plain") for output in result.outputs if isinstance(output, ResultOutput)]
    if shown != ["42"]:
        return f"the next cell was {result.status} and showed {shown}"
    return "" if result.duration < _WORKS_WITHIN / 2 else f"the next cell took {result.duration:.1f} s"


async def after_the_session(workspace: Path, *, is_plain: bool) -> str:
    """Whether something that a case started lives on; outside of a sandbox it is then ended here."""
    before = _heartbeats(workspace)
    if before:
        await asyncio.sleep(_PAUSE)
    living = {name: now for name, now in _heartbeats(workspace).items() if now != before.get(name)}
    if is_plain:
        for now in living.values():
            os.kill(int(now.partition(" ")[0]), signal.SIGKILL)
    return next((f"{name} goes on" for name in living), "")


def _heartbeats(workspace: Path) -> dict[str, str]:
    """What the files say that started processes write to."""
    return {file.name: file.read_text() for file in workspace.glob("heartbeat-*") if file.suffix != ".new"}
