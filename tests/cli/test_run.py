"""``cellblock run``: documents in, executed notebooks, files and exit statuses out."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from cellblock._core.notebook_cells import notebook_metadata

if TYPE_CHECKING:
    from conftest import Program
    from kernelspecs import KernelSpecs

REPORT = """# A report

```python
import base64
from IPython.display import HTML, Image, display
x = 41
```

Some text.

```python
print("x is", x)
display(Image(base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")))
display(HTML("<b>bold</b>"))
x + 1
```

```bash
echo "from $0"
```
"""


def notebook(path: Path) -> Any:
    found = nbformat.read(path, as_version=4)
    nbformat.validate(found)
    return found


def test_a_document_runs_into_a_notebook_and_files(cellblock: Program) -> None:
    cellblock.write("report.md", REPORT)
    done = cellblock("run", "report.md")
    assert (done.returncode, done.stderr) == (0, "")
    output = cellblock.folder / "report-output"
    assert sorted(path.name for path in output.iterdir()) == ["block-02-1.png", "block-02-2.html", "report.ipynb"]
    assert (output / "block-02-1.png").read_bytes().startswith(b"\x89PNG")
    cells = notebook(output / "report.ipynb").cells
    assert [cell.cell_type for cell in cells] == ["markdown", "code", "markdown", "code", "code"]
    assert cells[3].outputs[-1].data["text/plain"] == "42"
    for said in (
        "1/3 python import base64",
        "x is 41",
        "42",
        "from bash",
        "block-02-1.png",
        "3 blocks: 3 ok",
        "report.ipynb",
    ):
        assert said in done.stdout


def test_a_pipe_gets_plain_text(cellblock: Program) -> None:
    cellblock.write(
        "report.md", "```python\nprint('\\x1b[31mred\\x1b[0m \\x07 a\\rb \\u202e \\ud800 \\x9b31m')\n1/0\n```\n"
    )
    done = cellblock("run", "report.md")
    assert re.findall(r"[^\x20-\x7e\n│▸✓✗·→�\u202e]", done.stdout) == []
    assert "red" in done.stdout


def test_output_is_shown_as_it_comes(cellblock: Program) -> None:
    """The second line is printed only after the first was read here."""
    cellblock.write(
        "report.md",
        "```python\nprint('first')\nimport pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n```",
    )
    with subprocess.Popen(
        cellblock.command("run", "report.md"),
        cwd=cellblock.folder,
        env=cellblock.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert any("first" in line for line in process.stdout)
        cellblock.write("go", "")
        process.stdout.read()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("code", "options", "status", "said"),
    [
        ("1/0", [], 1, "Block 2 (line 4) failed: ZeroDivisionError: division by zero"),
        (
            "while True: pass",
            ["--timeout", "1"],
            124,
            "Block 2 (line 4) timed out: Timeout: the cell was stopped after 1 s.",
        ),
        (
            "import os; os.kill(os.getpid(), 9)",
            [],
            137,
            "Block 2 (line 4) kernel died: The kernel was killed by signal 9 (SIGKILL).",
        ),
        ("import os; os._exit(3)", [], 137, "Block 2 (line 4) kernel died"),
    ],
)
def test_the_exit_status_is_the_failing_blocks(
    cellblock: Program, code: str, options: list[str], status: int, said: str
) -> None:
    cellblock.write("report.md", f"```python\nx = 1\n```\n```python\n{code}\n```\n```python\nprint('never')\n```\n")
    done = cellblock("run", "report.md", "--quiet", *options)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"cellblock: {said}")
    assert done.stderr.count("\n") == 1
    cells = notebook(cellblock.folder / "report-output" / "report.ipynb").cells
    assert [cell.execution_count for cell in cells] == [1, 2 if status != 137 else cells[1].execution_count, None]
    assert cells[1].metadata.cellblock.status != "ok"


def test_keep_going_runs_the_rest(cellblock: Program) -> None:
    cellblock.write("report.md", "```bash\nexit 3\n```\n```python\n1/0\n```\n```python\nprint('after')\n```\n")
    done = cellblock("run", "report.md", "--keep-going")
    assert done.returncode == 3
    assert "after" in done.stdout
    assert "3 blocks: 2 failed, 1 ok" in done.stdout


def test_json_and_nothing_else(cellblock: Program) -> None:
    cellblock.write("report.md", REPORT + "\n```python\nraise ValueError('x')\n```\n```python\nnever\n```\n")
    done = cellblock("run", "report.md", "--json", "--html", "--output", "done.ipynb", "--output-dir", "files")
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert {key: found[key] for key in ("document", "kernel", "exit_code")} == {
        "document": "report.md",
        "kernel": "python3",
        "exit_code": 1,
    }
    assert found["notebook"] == str(cellblock.folder / "done.ipynb")
    assert found["html"] == str(cellblock.folder / "done.html")
    blocks = found["blocks"]
    assert [block["status"] for block in blocks] == ["ok", "ok", "ok", "error", "not_run"]
    assert [block["language"] for block in blocks] == ["python", "python", "bash", "python", "python"]
    assert [Path(file).name for file in blocks[1]["files"]] == ["block-02-1.png", "block-02-2.html"]
    assert blocks[1]["text"].startswith("x is 41\nImage data saved to ")
    assert blocks[3]["error"]["ename"] == "ValueError"


def test_html_beside_the_notebook(cellblock: Program) -> None:
    cellblock.write("report.md", REPORT)
    assert cellblock("run", "report.md", "--html", "-q").returncode == 0
    page = (cellblock.folder / "report-output" / "report.html").read_text(encoding="utf-8")
    assert "A report" in page
    assert "data:image/png;base64," in page
    assert "<b>bold</b>" in page


def test_a_notebook_runs_again_with_its_own_kernel(cellblock: Program) -> None:
    cellblock.write("report.md", REPORT)
    cellblock("run", "report.md", "-q", "-o", "first.ipynb")
    done = cellblock("run", "first.ipynb", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (notebook(cellblock.folder / name) for name in ("first.ipynb", "first-output/first.ipynb"))
    assert [cell.source for cell in first.cells] == [cell.source for cell in second.cells]
    assert [cell.id for cell in first.cells] == [cell.id for cell in second.cells]
    first.metadata.kernelspec.name = "no-such-kernel"
    nbformat.write(first, cellblock.folder / "first.ipynb")
    refused = cellblock("run", "first.ipynb", "-q")
    assert refused.returncode == 2
    assert refused.stderr.startswith("cellblock: Kernel no-such-kernel is not installed.")
    assert cellblock("run", "first.ipynb", "-q", "--kernel", "python3").returncode == 0


def test_a_notebook_is_not_overwritten_by_accident(cellblock: Program) -> None:
    cellblock.write("report.md", REPORT)
    cellblock("run", "report.md", "-q", "-o", "first.ipynb")
    before = (cellblock.folder / "first.ipynb").read_bytes()
    done = cellblock("run", "first.ipynb", "-q", "--output-dir", ".")
    assert done.returncode == 2
    assert "would take the place of" in done.stderr
    assert (cellblock.folder / "first.ipynb").read_bytes() == before
    assert cellblock("run", "first.ipynb", "-q", "--output-dir", ".", "-o", "first.ipynb").returncode == 0


def test_standard_input(cellblock: Program) -> None:
    done = cellblock("run", "-", text_in="```python\nprint(6 * 7)\n```\n")
    assert done.returncode == 0
    assert "42" in done.stdout
    assert (cellblock.folder / "stdin-output" / "stdin.ipynb").exists()


def test_blocks_run_where_the_document_is(cellblock: Program) -> None:
    (cellblock.folder / "sub").mkdir()
    cellblock.write("sub/data.txt", "content")
    cellblock.write("sub/report.md", "```python\nprint(open('data.txt').read())\n```\n")
    done = cellblock("run", "sub/report.md")
    assert "content" in done.stdout
    assert (cellblock.folder / "report-output" / "report.ipynb").exists()


WAITS = "```python\nx = 1\n```\n```python\n{}\n```\n```python\nprint('never')\n```\n"


def interrupted(cellblock: Program, code: str, times: int = 1) -> subprocess.CompletedProcess[str]:
    cellblock.write("report.md", WAITS.format(code))
    with subprocess.Popen(
        cellblock.command("run", "report.md"),
        cwd=cellblock.folder,
        env=cellblock.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the signal is for the program; its kernel must not get it too
    ) as process:
        assert process.stdout
        said = ""
        while "│ waiting" not in said:
            said += process.stdout.readline()
        for _ in range(times):
            process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    return subprocess.CompletedProcess(process.args, process.returncode, said + rest, errors)


def test_ctrl_c_interrupts_the_block_and_writes_what_ran(cellblock: Program) -> None:
    done = interrupted(cellblock, "print('waiting')\nwhile True: pass")
    assert (done.returncode, done.stderr) == (130, "")
    assert "interrupted" in done.stdout
    cells = notebook(cellblock.folder / "report-output" / "report.ipynb").cells
    assert [cell.get("metadata").get("cellblock", {}).get("status") for cell in cells] == ["ok", "interrupted", None]
    assert cells[1].outputs[0].text == "waiting\n"


def test_ctrl_c_ends_the_document_even_if_the_block_swallows_it(cellblock: Program) -> None:
    code = "import time\ntry:\n    print('waiting')\n    time.sleep(60)\nexcept KeyboardInterrupt: print('swallowed')"
    done = interrupted(cellblock, code)
    assert done.returncode == 130
    assert "swallowed" in done.stdout
    assert "never" not in done.stdout


def test_a_terminal_gets_colours_and_what_runs_now(cellblock: Program) -> None:
    cellblock.write(
        "report.md", "```python\nimport time; time.sleep(0.4)\nprint('\\x1b]0;title\\x07\\x1b[2Jdone')\n```\n"
    )
    ours, theirs = pty.openpty()
    environment = cellblock.environment(TERM="xterm-256color", COLUMNS="100")
    with subprocess.Popen(
        cellblock.command("run", "report.md"),
        cwd=cellblock.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = read_all(ours)
    assert process.returncode == 0
    assert "\x1b[32m" in shown
    assert re.search(r"1/1 python import time; time\.sleep\(0\.4\).*0\.\d s", shown)
    assert "title" not in shown
    assert "\x1b[2J" not in shown
    assert "done" in shown


def read_all(descriptor: int) -> str:
    """What a terminal shows until nobody writes to it any more."""
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux says so when the last writer is gone
            part = b""
        if not part:
            os.close(descriptor)
            return b"".join(parts).decode()
        parts.append(part)


def test_a_reader_that_leaves_early_is_no_traceback(cellblock: Program) -> None:
    cellblock.write("report.md", "```python\nfor i in range(20000): print(i)\n```\n")
    command = " ".join(cellblock.command("run", "report.md"))
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -3"],
        cwd=cellblock.folder,
        env=cellblock.environment(),
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr


def test_a_notebook_of_another_language_stays_one_and_keeps_what_it_says_of_itself(
    cellblock: Program, kernelspecs: KernelSpecs
) -> None:
    bash = {"name": "bash", "language": "bash", "display_name": "My Bash"}
    metadata = {"title": "mine", "authors": [{"name": "me"}], "kernelspec": bash, "widgets": {"state": "old"}}
    cells = [{"cell_type": "code", "source": "echo $((6 * 7))", "metadata": {}, "outputs": [], "execution_count": None}]
    text = json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": cells})
    cellblock.write("mine.ipynb", text)
    environment = cellblock.environment(JUPYTER_PATH=str(kernelspecs.data_dir))
    done = cellblock("run", "mine.ipynb", "--json", environment=environment)
    assert json.loads(done.stdout)["blocks"][0]["text"] == "42\n"
    notebook = json.loads((cellblock.folder / "mine-output" / "mine.ipynb").read_text())
    assert notebook["metadata"] == {
        "title": "mine",
        "authors": [{"name": "me"}],
        "kernelspec": bash,
        "language_info": {"name": "bash"},
    }


def test_a_notebook_on_another_kernel_says_so(cellblock: Program) -> None:
    metadata = {
        "title": "mine",
        "kernelspec": {"name": "other", "display_name": "O"},
        "language_info": {"name": "other"},
    }
    cells = [{"cell_type": "code", "source": "6 * 7", "metadata": {}, "outputs": [], "execution_count": None}]
    text = json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": cells})
    cellblock.write("mine.ipynb", text)
    assert cellblock("run", "mine.ipynb", "--kernel", "python3").returncode == 0
    notebook = json.loads((cellblock.folder / "mine-output" / "mine.ipynb").read_text())
    assert notebook["metadata"] == {"title": "mine", **notebook_metadata()}
