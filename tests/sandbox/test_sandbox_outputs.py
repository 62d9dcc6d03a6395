"""What leaves a sandbox for whoever looks on: pages and drawings run nothing by themselves, and secrets stay inside."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import psutil
import pytest

from cellblock import CodeBlock, EmbeddedIPythonCodeExecutor, JupyterCodeExecutor, Sandbox
from cellblock.errors import SandboxUnavailable
from cellblock.kernels.sandbox import find_bubblewrap

SECRET = "hunter2-of-the-caller"
PAGE = "<script>fetch('http://192.0.2.1/')</script><b>bold</b>"
DRAWING = "<svg xmlns='http://www.w3.org/2000/svg' onload='fetch(1)'><script>fetch(2)</script><circle r='1'/></svg>"


def run(executor, code):
    return executor.execute_code_blocks([CodeBlock(language="python", code=code)])


def test_saved_pages_and_drawings_run_nothing_by_themselves(tmp_path):
    with JupyterCodeExecutor(sandbox=Sandbox(), output_dir=tmp_path) as executor:
        shown = f"display({{'text/html': {PAGE!r}}}, raw=True)\ndisplay({{'image/svg+xml': {DRAWING!r}}}, raw=True)"
        page, drawing = (Path(file).read_text() for file in run(executor, shown).output_files)
    assert "<script>fetch" not in page
    assert '<iframe sandbox=""' in page
    assert "fetch" not in drawing
    assert "circle" in drawing


def test_autogens_embedded_executor_takes_a_sandbox_too(tmp_path):
    executor = EmbeddedIPythonCodeExecutor(sandbox=Sandbox(), output_dir=tmp_path)
    try:
        assert run(executor, "import os; print(os.getcwd())").output == "/workspace\n"
    finally:
        executor.stop()


def test_an_ordinary_executors_pages_are_saved_as_they_are(tmp_path):
    with JupyterCodeExecutor(output_dir=tmp_path) as executor:
        (file,) = run(executor, f"display({{'text/html': {PAGE!r}}}, raw=True)").output_files
    assert Path(file).read_text() == PAGE


@pytest.mark.parametrize("confined", [True, False])
def test_a_secret_given_by_name_is_in_the_kernels_environment_and_nowhere_else(confined, tmp_path, caplog):
    given = {"sandbox": Sandbox(env={"API_KEY": SECRET})} if confined else {"env": {"API_KEY": SECRET}}
    journal = tmp_path / "journal.ipynb"
    with (
        caplog.at_level(logging.DEBUG),
        JupyterCodeExecutor(**given, output_dir=tmp_path, journal=journal, timeout=20) as executor,
    ):
        results = [run(executor, f"import os\nos.environ['API_KEY'] == {SECRET[::-1]!r}[::-1]")]
        commands = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
        results += [run(executor, code) for code in ("1 / 0", "os.kill(os.getpid(), 11)", "print('again')")]
    assert [result.exit_code for result in results] == [0, 1, 137, 0]
    assert results[0].output == "True"
    told = [caplog.text, *map(repr, results), *commands, *(file.read_text() for file in tmp_path.iterdir())]
    assert journal.exists()
    assert not [text for text in told if SECRET in text]


def test_a_start_that_fails_does_not_show_the_secret(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    find_bubblewrap.find_bubblewrap.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable) as failed:
            JupyterCodeExecutor(sandbox=Sandbox(env={"API_KEY": SECRET}))
    finally:
        find_bubblewrap.find_bubblewrap.cache_clear()
    assert SECRET not in "".join(traceback.format_exception(failed.value))
