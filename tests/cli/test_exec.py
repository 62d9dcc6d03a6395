"""``cellblock exec``: code in, its output and its exit status out."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Program


def test_streams_are_ours_and_the_result_is_shown(cellblock: Program) -> None:
    done = cellblock("exec", "-c", "import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n42\n", "err\n")


def test_a_file_and_standard_input(cellblock: Program) -> None:
    cellblock.write("code.py", "print('ü')\nawait __import__('asyncio').sleep(0)\n!echo shell")
    assert cellblock("exec", "code.py").stdout == "ü\nshell\n"
    assert cellblock("exec", "-", text_in="print(1)").stdout == "1\n"


@pytest.mark.parametrize(
    ("code", "options", "status", "errors"),
    [
        ("1/0", [], 1, "ZeroDivisionError: division by zero\n"),
        ("while True: pass", ["--timeout", "0.5"], 124, "cellblock: Timeout: the cell was stopped after 0.5 s."),
        ("import os; os.kill(os.getpid(), 9)", [], 137, "cellblock: The kernel was killed by signal 9 (SIGKILL)."),
        ("input()", [], 1, "StdinNotImplementedError"),
    ],
)
def test_the_exit_status_is_the_codes(
    cellblock: Program, code: str, options: list[str], status: int, errors: str
) -> None:
    done = cellblock("exec", "-c", code, *options)
    assert (done.returncode, done.stdout) == (status, "")
    assert errors in done.stderr


def test_pictures_are_saved_where_asked(cellblock: Program) -> None:
    code = "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))"
    done = cellblock("exec", "-c", code, "--output-dir", "files")
    (file,) = (cellblock.folder / "files").iterdir()
    assert file.suffix == ".html"
    assert str(file) in done.stdout
    assert cellblock("exec", "-c", code).stdout == "[HTML, 8 B]\n"


def test_no_control_bytes_come_through(cellblock: Program) -> None:
    done = cellblock("exec", "-c", "import sys\nprint('a\\x1b[31mb\\x07\\x9b1m')\nprint('old\\rnew', file=sys.stderr)")
    assert (done.stdout, done.stderr) == ("ab\n", "new\n")


def test_ctrl_c(cellblock: Program) -> None:
    with subprocess.Popen(
        cellblock.command("exec", "-c", "print('waiting')\nwhile True: pass"),
        cwd=cellblock.folder,
        env=cellblock.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "KeyboardInterrupt" in errors
    assert 'File "' not in errors  # the cell's traceback, and none of ours
