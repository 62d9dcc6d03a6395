"""Whatever is wrong with what a user gives: one sentence on stderr, a status that is not 0, never a traceback."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Program

FINE = "```python\nx = 1\n```\n"


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("cellblock: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("cellblock: ").rstrip("\n")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.md", None, "There is no file none.md."),
        ("empty.md", b"", "empty.md has no code blocks to run"),
        ("binary.md", b"\x89PNG\r\n\x1a\n\0", "binary.md is a binary file"),
        ("nul.md", b"```python\nx = '\0'\n```", "nul.md is a binary file"),
        ("latin.md", "# café".encode("latin-1"), "latin.md is not UTF-8 text: byte 0xe9 in line 1"),
        ("surrogate.md", b"```python\nx = '\xed\xa0\x80'\n```", "surrogate.md is not UTF-8 text: byte 0xed in line 2"),
        ("cut.md", b"```python\nx = 1", "The code block in line 1 of cut.md is never closed"),
        ("broken.ipynb", b'{"cells": [', "broken.ipynb is not a notebook: it is not JSON"),
        ("new.ipynb", b'{"nbformat": 5, "nbformat_minor": 0, "cells": []}', "new.ipynb has notebook format 5"),
        ("bad.ipynb", b'{"nbformat": 4, "nbformat_minor": 5, "cells": [{}]}', "bad.ipynb is not a valid notebook"),
        ("code.py", b"x = 1", "code.py is a Python file, not a document; run it with: cellblock exec code.py"),
    ],
)
def test_documents(cellblock: Program, name: str, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (cellblock.folder / name).write_bytes(content)
    assert one_sentence(cellblock("run", name)).startswith(sentence)
    assert not list(cellblock.folder.glob("*-output"))


def test_json_that_is_nested_too_deeply(cellblock: Program) -> None:
    text = '{"nbformat": 4, "cells": ' + "[" * 100_000 + "]" * 100_000 + "}"
    cellblock.write("deep.ipynb", text)
    for name, shown in (("deep.ipynb", "deep.ipynb"), ("-", "stdin")):
        done = cellblock("run", name, text_in=text)
        assert one_sentence(done) == f"{shown} is not a notebook: its JSON is nested too deeply to be read."


@pytest.mark.parametrize("command", ["run", "exec"])
def test_a_standard_input_that_is_closed(cellblock: Program, command: str) -> None:
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *cellblock.command(command, "-")]
    done = subprocess.run(
        shell, cwd=cellblock.folder, env=cellblock.environment(), capture_output=True, text=True, check=False
    )
    assert one_sentence(done) == "There is nothing to read: the standard input is closed. Name a file."


@pytest.mark.parametrize("arguments", [["run", "-"], ["exec", "-c", "1"], ["run", "a.md"]])
def test_a_working_directory_that_is_gone(cellblock: Program, arguments: list[str]) -> None:
    gone = cellblock.folder / "gone"
    gone.mkdir()
    command = cellblock.command(*arguments)
    shell = ["sh", "-c", 'rmdir ../gone; exec "$@"', "sh", *command]
    done = subprocess.run(
        shell, cwd=gone, env=cellblock.environment(), input=FINE, capture_output=True, text=True, check=False
    )
    if arguments == ["run", "a.md"]:
        assert one_sentence(done) == "There is no file a.md."
    else:
        assert one_sentence(done) == "The working directory is not there any more; change to one that is."


def test_html_that_is_none_is_shown_on_the_page_as_text(cellblock: Program) -> None:
    cellblock.write("odd.md", "```python\nfrom IPython.display import HTML\nHTML('<![foo[ x ]]>')\n```\n")
    done = cellblock("run", "odd.md", "--html")
    assert (done.returncode, done.stderr) == (0, "")
    assert "<pre>&lt;![foo[ x ]]&gt;</pre>" in (cellblock.folder / "odd-output" / "odd.html").read_text()


def test_a_directory(cellblock: Program) -> None:
    assert one_sentence(cellblock("run", ".")) == ". is a directory; name a file in it."


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--timeout", "0"], "--timeout takes a number of seconds above 0, not 0."),
        (["--timeout", "-1"], "--timeout takes a number of seconds above 0, not -1."),
        (["--timeout", "nan"], "--timeout takes a number of seconds above 0, not nan."),
        (["--timeout", "inf"], "--timeout takes a number of seconds above 0, not inf."),
        (["--kernel", "nope"], "Kernel nope is not installed."),
        (["--kernel", "../nope"], "Kernel ../nope is not installed."),
        (["--output-dir", "fine.md"], "The output directory"),
        (["--output-dir", "fine.md/sub"], "The output directory"),
        (["-o", "."], "The notebook cannot be written to"),
        (["-o", "none/x.ipynb"], "The notebook cannot be written to"),
    ],
)
def test_options(cellblock: Program, options: list[str], sentence: str) -> None:
    cellblock.write("fine.md", FINE)
    assert one_sentence(cellblock("run", "fine.md", *options)).startswith(sentence)


def test_a_notebook_in_place_of_its_source(cellblock: Program) -> None:
    source = cellblock.write("fine.md", FINE)
    (cellblock.folder / "link.md").symlink_to(source)
    for name in ("fine.md", "./fine.md", "link.md"):
        said = one_sentence(cellblock("run", "fine.md", "-o", name))
        assert said.startswith("The executed notebook would take the place of ")
    assert source.read_text() == FINE


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Give either a file or, with -c, the code itself."),
        (["a.py", "-c", "1"], "Give either a file or, with -c, the code itself."),
        (["none.py"], "There is no file none.py."),
        (["-c", "1", "--timeout", "0"], "--timeout takes a number of seconds above 0, not 0."),
        (["-c", "1", "--kernel", "nope"], "Kernel nope is not installed."),
        (["-c", "1", "--output-dir", "/dev/null"], "The output directory /dev/null cannot be made"),
        (["-c", b"'\xff'"], "The code cannot be run: its character 2 is half of a surrogate pair"),
    ],
)
def test_exec(cellblock: Program, arguments: list[str | bytes], sentence: str) -> None:
    texts = [
        argument.decode("utf-8", "surrogateescape") if isinstance(argument, bytes) else argument
        for argument in arguments
    ]
    assert one_sentence(cellblock("exec", *texts)).startswith(sentence)


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "--nope"], ["nope"], ["run", "x.md", "--timeout", "soon"], ["exec", "-c"]]
)
def test_a_wrong_command_line_names_the_help(cellblock: Program, arguments: list[str]) -> None:
    assert "See: cellblock " in one_sentence(cellblock(*arguments))


def test_a_ten_megabyte_block_runs(cellblock: Program) -> None:
    cellblock.write("big.md", f"```python\ntext = '''{'x' * 10_000_000}'''\nprint(len(text))\n```\n")
    done = cellblock("run", "big.md", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["blocks"][0]["text"] == "10000000\n"


def test_a_block_that_no_kernel_can_be_sent_fails_as_other_blocks_do(cellblock: Program) -> None:
    cells = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for source in ("print('first')", "x = '\ud800'", "print('third')")
    ]
    cellblock.write("odd.ipynb", json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}))
    done = cellblock("run", "odd.ipynb", "--json", "--keep-going")
    blocks = json.loads(done.stdout)["blocks"]
    assert (done.returncode, done.stderr) == (1, "")
    assert [block["status"] for block in blocks] == ["ok", "error", "ok"]
    assert blocks[1]["notes"] == ["The code cannot be run: its character 6 is half of a surrogate pair. Remove it."]
    assert blocks[2]["text"] == "third\n"
    assert [block["status"] for block in json.loads(cellblock("run", "odd.ipynb", "--json").stdout)["blocks"]] == [
        "ok", "error", "not_run",
    ]  # fmt: skip


def test_lone_surrogates_in_outputs_are_shown_as_what_they_are(cellblock: Program) -> None:
    cellblock.write("odd.md", "```python\nprint('\\ud800'); '\\udfff'\n```\n")
    done = cellblock("run", "odd.md", "--html")
    assert (done.returncode, done.stderr) == (0, "")
    assert (cellblock.folder / "odd-output" / "odd.html").exists()


@pytest.mark.parametrize("name", ["../oops", "{folder}/oops", "a b", ".."])
def test_names_of_kernelspecs(cellblock: Program, name: str) -> None:
    name = name.format(folder=cellblock.folder)
    home = cellblock.folder / "home"
    home.mkdir()
    environment = cellblock.environment(HOME=str(home), TMPDIR=str(home), JUPYTER_DATA_DIR=str(home))
    done = cellblock("install-kernel", "--user", "--name", name, environment=environment)
    assert one_sentence(done).endswith(f"and {name!r} is not.")
    assert [path.name for path in cellblock.folder.rglob("*")] == ["home"]
