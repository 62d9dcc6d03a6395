"""Where a command's code runs: confined, on a server started for it, or on one that runs already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from servers.stock import stock_server

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Program

WHERE = "import os, urllib.request\nprint(os.getcwd())\nprint(sorted(os.environ.keys() & {'SECRET_OF_MINE'}))"


def test_a_sandbox_has_its_own_folder_and_none_of_our_environment(cellblock: Program) -> None:
    done = cellblock("exec", "--sandbox", "-c", WHERE, environment=cellblock.environment(SECRET_OF_MINE="1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "/workspace\n[]\n", "")


def test_a_sandboxed_document_can_read_what_is_beside_it(cellblock: Program) -> None:
    cellblock.folder.chmod(0o755)  # root's sandboxes run as users of their own, who cannot enter what only root can
    cellblock.write("data.txt", "beside")
    cellblock.write("a.md", f"```python\nprint(open({str(cellblock.folder / 'data.txt')!r}).read())\n```\n")
    done = cellblock("run", "--sandbox", "a.md")
    assert done.returncode == 0, done.stderr
    assert "beside" in done.stdout


PAGE = "from IPython.display import HTML\nHTML('<b>bold</b><script>fetch(1)</script>')"


def test_pages_of_confined_code_run_no_script_by_themselves(cellblock: Program) -> None:
    cellblock.folder.chmod(0o755)
    cellblock.write("a.md", f"```python\n{PAGE}\n```\n")
    assert cellblock("run", "--sandbox", "a.md").returncode == 0
    assert cellblock("exec", "--sandbox", "--output-dir", "shown", "-c", PAGE).returncode == 0
    pages = [path.read_text() for path in cellblock.folder.rglob("*.html")]
    assert len(pages) == 2
    assert all("bold" in page and "<script>fetch" not in page for page in pages)


@pytest.mark.parametrize("command", ["exec", "run"])
def test_without_a_sandbox_to_be_had_nothing_runs(
    cellblock: Program, tmp_path_factory: pytest.TempPathFactory, command: str
) -> None:
    code = "open('ran', 'w').close()"
    cellblock.write("a.md", f"```python\n{code}\n```\n")
    arguments = ["-c", code] if command == "exec" else ["a.md"]
    without = cellblock.environment(PATH=str(tmp_path_factory.mktemp("empty")))
    done = cellblock(command, "--sandbox", *arguments, environment=without)
    assert done.returncode == 2
    assert done.stderr == (
        "cellblock: A sandboxed kernel was wanted, but bubblewrap is not installed. Install it: `apt install bubblewrap`, "
        "`dnf install bubblewrap` or `pacman -S bubblewrap`.\n"
    )
    assert not list(cellblock.folder.rglob("ran"))


def test_a_local_server_is_started_for_the_run(cellblock: Program) -> None:
    cellblock.write("a.md", "```python\nx = 20\n```\n\n```python\nx + 1\n```\n")
    done = cellblock("run", "--server", "local", "a.md")
    assert done.returncode == 0, done.stderr
    assert "21" in done.stdout
    assert {path.name for path in cellblock.folder.iterdir()} == {"a.md", "a-output"}


def test_a_server_is_named_by_its_url(cellblock: Program, tmp_path: Path) -> None:
    with stock_server(tmp_path / "server") as server:
        url = f"http://127.0.0.1:{server.info.port}/?token={server.info.token}"
        done = cellblock("exec", "--server", url, "-c", "6 * 7")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--server", "http://127.0.0.1:9/?token=x"], "127.0.0.1:9"),
        (["--server", "nonsense"], "nonsense"),
        (["--server", "local", "--sandbox"], "Leave one of the two out"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(cellblock: Program, options: list[str], says: str) -> None:
    done = cellblock("exec", *options, "-c", "1")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
