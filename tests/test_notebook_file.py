from __future__ import annotations

import contextlib
import json
import signal
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from cellblock._core.notebook_cells import code_cell, notebook_metadata, text_cell
from cellblock._core.outputs import StreamOutput
from cellblock._core.results import CellResult, CellStatus
from cellblock.errors import ConfigError
from cellblock.journal import Journal
from cellblock.notebook_file import NotebookFile, replacing

if TYPE_CHECKING:
    from pathlib import Path

OK = CellResult(CellStatus.OK, (StreamOutput("stdout", "out\n"),), execution_count=1)


def read(path: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def sources(path: Path) -> list[str]:
    return [cell.source for cell in read(path).cells]


def test_every_append_leaves_a_valid_notebook(tmp_path: Path) -> None:
    path = tmp_path / "run.ipynb"
    file = NotebookFile(path, notebook_metadata())
    assert not path.exists()
    file.append()
    assert sources(path) == []
    file.append(text_cell("# title", cell_id="a"))
    assert sources(path) == ["# title"]
    file.append(code_cell("x", OK, cell_id="b"), code_cell("y", OK, cell_id="c"))
    assert sources(path) == ["# title", "x", "y"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_journal_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "run.ipynb"
    Journal(path).record("x = 1", "python", OK)
    again = Journal(path)
    again.record("%%bash\nls", "bash", OK)
    again.record("y", "", OK)
    assert sources(path) == ["x = 1", "%%bash\nls", "y"]
    assert len({cell.id for cell in read(path).cells}) == 3


def test_fresh_takes_the_place_of_what_is_there_at_the_first_cell(tmp_path: Path) -> None:
    path = tmp_path / "run.ipynb"
    Journal(path).record("old", "python", OK)
    file = NotebookFile(path, {}, fresh=True)
    assert sources(path) == ["old"]
    file.append(text_cell("new", cell_id="a"))
    assert sources(path) == ["new"]


def test_what_jupyter_saved_in_between_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "run.ipynb"
    journal = Journal(path)
    journal.record("x = 1", "python", OK)
    notebook = read(path)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("my notes"))
    notebook.metadata["title"] = "mine"
    nbformat.write(notebook, path)
    journal.record("y = 2", "python", OK)
    assert sources(path) == ["my notes", "x = 1", "y = 2"]
    assert read(path).metadata["title"] == "mine"


def test_lone_surrogates_do_not_break_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.ipynb"
    Journal(path).record("'\ud800'", "python", CellResult(CellStatus.OK, (StreamOutput("stdout", "\udfff ü 日本"),)))
    assert read(path).cells[0].outputs[0].text == "? ü 日本"


def test_threads_may_share_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run.ipynb")
    threads = [threading.Thread(target=journal.record, args=(f"x = {i}", "python", OK)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sources(tmp_path / "run.ipynb")) == sorted(f"x = {i}" for i in range(20))


def test_a_cell_costs_no_more_parsing_in_a_long_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding a cell neither parses nor makes anew what is there: JSON passes through our hands once."""
    dumped, loaded = [], []
    dumps, loads = json.dumps, json.loads
    monkeypatch.setattr(json, "dumps", lambda value, **kw: dumped.append(value) or dumps(value, **kw))
    monkeypatch.setattr(json, "loads", lambda text, **kw: loaded.append(text) or loads(text, **kw))
    journal = Journal(tmp_path / "run.ipynb")
    for i in range(200):
        journal.record(f"x = {i}", "python", OK)
    assert len(dumped) == 201
    assert not loaded


def test_journals_of_one_file_lose_nothing_of_each_other(tmp_path: Path) -> None:
    """Each with a journal of its own, as executors have."""
    path = tmp_path / "run.ipynb"

    def write(name: str) -> None:
        journal = Journal(path)
        for i in range(30):
            journal.record(f"{name} = {i}", "python", OK)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sources(path)) == sorted(f"{name} = {i}" for name in "abc" for i in range(30))
    assert list(tmp_path.iterdir()) == [path]


TAKES_PART = """
import sys
from cellblock._core.results import CellResult, CellStatus
from cellblock.journal import Journal
print("ready", flush=True)
sys.stdin.readline()
journal = Journal(sys.argv[1])
for number in range(20):
    journal.record(f"{sys.argv[2]} = {number}", "python", CellResult(CellStatus.OK))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there processes have no turns")
def test_processes_of_one_file_lose_nothing_of_each_other(tmp_path: Path) -> None:
    """Also at the moment when the file is made, which all of them begin with."""
    path = tmp_path / "run.ipynb"
    with contextlib.ExitStack() as running:
        writers = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", TAKES_PART, path, name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for name in "abc"
        ]
        for writer in writers:
            assert writer.stdout
            writer.stdout.readline()
        for writer in writers:
            assert writer.stdin
            writer.stdin.write("go\n")
            writer.stdin.flush()
        assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert sorted(sources(path)) == sorted(f"{name} = {i}" for name in "abc" for i in range(20))
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with contextlib.ExitStack() as writing:
        writing.enter_context(replacing(path, new=True)).write(b"late")
        path.write_text("first")
        with pytest.raises(FileExistsError):
            writing.close()
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from cellblock._core.outputs import DisplayOutput
from cellblock._core.results import CellResult, CellStatus
from cellblock.journal import Journal
journal = Journal(sys.argv[1])
result = CellResult(CellStatus.OK, (DisplayOutput({"image/png": "A" * 2_000_000}),))
for number in range(10_000):
    journal.record(f"x = {number}", "python", result)
    print(number, flush=True)
"""


def test_a_killed_process_leaves_a_whole_notebook(tmp_path: Path) -> None:
    """Killed at ever other moments of a write, of files big enough that a write takes a while."""
    path = tmp_path / "run.ipynb"
    done = 0
    for attempt in range(6):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                done += 1
                if int(line) == 2:
                    break
            threading.Event().wait(0.002 * attempt)
            process.send_signal(signal.SIGKILL)
            done += sum(1 for _ in process.stdout)
        notebook = json.loads(path.read_bytes())
        assert len(notebook["cells"]) in (done, done + 1)  # the last may be written and not yet said
        done = len(notebook["cells"])
    nbformat.validate(notebook)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a notebook"),
        (b"\x89PNG\0", "is not a notebook"),
        (b"[1]", "is not a notebook"),
        (b"[" * 100_000, "is not a notebook"),
        (b'{"cells": []}', "is not a notebook"),
        (b'{"cells": [], "metadata": {}, "nbformat": "x", "nbformat_minor": 5}', "is not a notebook"),
        (b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}', "has notebook format 4.4"),
        (b'{"cells": [], "metadata": {}, "nbformat": 5, "nbformat_minor": 0}', "has notebook format 5.0"),
    ],
)
def test_a_file_that_cannot_be_added_to_is_left_alone(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "run.ipynb"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        Journal(path)
    assert path.read_bytes() == content


def test_paths_that_cannot_be_a_notebook(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it is a directory"):
        Journal(tmp_path)
    with pytest.raises(ConfigError, match="its directory does not exist"):
        Journal(tmp_path / "none" / "run.ipynb")


def test_a_failed_write_is_said_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.ipynb"
    journal = Journal(path)
    journal.record("x", "python", OK)
    with pytest.raises(TypeError):
        journal.record("y", "python", CellResult(CellStatus.OK, (object(),)))  # type: ignore[arg-type]
    journal.record("z", "python", OK)
    assert sources(path) == ["x", "z"]


def test_replacing_keeps_the_old_file_on_an_error(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.writelines([b"half", "text"])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_permissions_and_links_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "target.ipynb", tmp_path / "link.ipynb"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
