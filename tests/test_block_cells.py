"""Blocks of each language as cells, and each of them really run in a kernel."""

import ast
import os

import pytest

from cellblock._core.languages import canonical_language
from cellblock._core.outputs import DisplayOutput, ErrorOutput, StreamOutput
from cellblock._core.results import CellResult, CellStatus
from cellblock._core.shell_failure import is_shell_failure, shell_outcome
from cellblock.block_cells import notebook_source, to_cell
from cellblock.blocking import Session
from cellblock.errors import ConfigError


@pytest.fixture(scope="module")
def session():
    with Session() as session:
        session.start()
        yield session


def stdout(result):
    return "".join(o.text for o in result.outputs if isinstance(o, StreamOutput) and o.name == "stdout")


# What a cell looks like


@pytest.mark.parametrize("language", ["", "python", "Python", "py", "PYTHON3", "ipython", " python "])
def test_python_is_a_cell_as_it_is(language):
    assert to_cell("%time\n1 + 1", language) == "%time\n1 + 1"
    assert canonical_language(language) == "python"


def test_other_names_are_only_lowered():
    assert canonical_language(" Bash ") == "bash"


def scripts(cell):
    """The scripts of the shell calls of a cell, read from its syntax tree, and its other lines."""
    found = []
    for line in cell.splitlines():
        if not line.startswith("(lambda"):
            found.append(line)
            continue
        calls = [node for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Starred)]
        found.append(ast.literal_eval(calls[0].value))
    return found


def test_code_travels_as_a_literal():
    code = "echo '''\"\"\"\\ {x} $HOME\né"
    assert scripts(to_cell(code, "bash")) == [("bash", code)]


@pytest.mark.parametrize("line", ["!echo {x}", "%cd ..", "!pip list", "%time 1"])
def test_ipythons_own_lines_in_a_shell_block_stay(line):
    cell = to_cell(f"echo a\n\n{line}\necho b", "bash")
    assert scripts(cell) == [("bash", "echo a\n"), line, ("bash", "echo b")]


def test_windows_line_ends_are_not_part_of_a_script():
    assert scripts(to_cell("echo a\r\n!echo b\r\necho c\r\n", "sh")) == [
        ("sh", "echo a"),
        "!echo b",
        ("sh", "echo c"),
    ]


def test_a_notebook_has_a_shell_block_as_people_write_it():
    assert notebook_source("echo a", "bash") == notebook_source("echo a", "shell") == "%%bash\necho a"
    assert notebook_source("echo a", "sh") == "%%sh\necho a"
    assert notebook_source("echo a", "zsh") == "%%script zsh\necho a"
    assert notebook_source("<b>", "html") == "%%html\n<b>"
    assert notebook_source("%pip install a", "python") == "%pip install a"
    assert notebook_source("echo a", "bash", "bash") == "echo a"
    assert notebook_source("", "bash") == ""
    assert (
        notebook_source("echo a\n%pip install b", "bash")
        == "get_ipython().run_cell_magic('bash', '', 'echo a\\n')\n%pip install b"
    )


@pytest.mark.parametrize("language", ["bash", "sh", "python"])
def test_a_cell_magic_says_itself_what_runs_it(language):
    code = "\n%%bash\necho a\n!echo b"
    assert to_cell(code, language) == code


@pytest.mark.parametrize("code", ["", "\n\n", "   "])
def test_an_empty_shell_block_is_an_empty_cell(code):
    assert to_cell(code, "bash") == ""


@pytest.mark.parametrize("line", ["!pip install a", "! pip install a"])
def test_pip_in_a_shell_block_is_quiet_too(line):
    assert "-qq" in to_cell(line, "bash")


def test_an_unknown_language_names_the_known():
    with pytest.raises(ConfigError) as caught:
        to_cell("code", "COBOL")
    assert str(caught.value) == (
        "Unknown language COBOL: a block can be one of bash, html, javascript, js, latex, markdown, md, "
        "python, sh, shell, svg, tex, zsh."
    )


def test_another_languages_kernel_runs_its_own_only():
    assert to_cell("echo a", "bash", "bash") == "echo a"
    assert to_cell("echo a", "", "bash") == "echo a"
    assert to_cell("echo a", "sh", "bash") == to_cell("echo a", "shell", "bash") == "echo a"
    assert to_cell("pip install a", "bash", "bash") == "pip install -qq --disable-pip-version-check a"
    with pytest.raises(ConfigError, match=r"^A block of python cannot run on a kernel for bash; it runs bash only\.$"):
        to_cell("1", "python", "bash")


# Every language really run


@pytest.mark.parametrize("language", ["bash", "sh", "shell", "Bash"])
def test_shells_run(session, language):
    result = session.run(to_cell("x=40\necho $((x + 2))\necho problem >&2", language))
    assert (result.status, stdout(result)) == (CellStatus.OK, "42\n")
    assert StreamOutput("stderr", "problem\n") in result.outputs


def test_a_shell_has_the_sessions_folder_and_environment(session, tmp_path):
    session.run(f"import os; before = os.getcwd(); os.chdir({str(tmp_path)!r}); os.environ['KEY'] = 'value'")
    result = session.run(to_cell("pwd; echo $KEY", "bash"))
    session.run("os.chdir(before)")
    assert stdout(result) == f"{tmp_path}\nvalue\n"


def test_a_shell_block_with_ipythons_lines_runs_in_order(session):
    session.run("word = 'from Python'")
    result = session.run(to_cell("echo first\n!echo {word}\necho last", "bash"))
    assert stdout(result).splitlines() == ["first", "from Python", "last"]


def test_a_shell_really_is_the_one_asked_for(session):
    assert stdout(session.run(to_cell("echo $BASH_VERSION", "bash"))).strip()
    assert stdout(session.run(to_cell("echo $0", "sh"))) == "sh\n"


@pytest.mark.parametrize(
    ("language", "mime"),
    [
        ("html", "text/html"),
        ("svg", "image/svg+xml"),
        ("latex", "text/latex"),
        ("tex", "text/latex"),
        ("markdown", "text/markdown"),
        ("md", "text/markdown"),
        ("javascript", "application/javascript"),
        ("js", "application/javascript"),
    ],
)
def test_what_is_shown_is_shown_as_what_it_is(session, language, mime):
    code = '<svg xmlns="http://www.w3.org/2000/svg"><text>é {x} \\n</text></svg>'
    (shown,) = session.run(to_cell(code, language)).outputs
    assert isinstance(shown, DisplayOutput)
    assert str(shown.data[mime]).strip() == code


def test_a_pip_that_succeeds_says_nothing_and_one_that_fails_says_so(session):
    code = "if True:\n    %pip install pip\n!pip install pip\ntext = '''\n!pip install pip\n'''\ntext"
    result = session.run(to_cell(code, "python"))
    assert result.ok
    assert [o.data["text/plain"] for o in result.outputs] == [repr("\n!pip install pip\n")]
    ran = session.run(to_cell("%pip install --no-index no-such-package-of-ours", "python"))
    failed, exit_code = shell_outcome(ran, "python")
    assert failed.text.startswith("ERROR: ")
    assert failed.text.endswith("%pip install ended with exit status 1.")
    assert (exit_code, failed.status, "Traceback" in failed.text) == (1, CellStatus.ERROR, False)


def test_names_that_only_the_shell_knows_do_not_keep_pip_from_running(session, tmp_path):
    """IPython leaves a line as it is when it does not know one of its names."""
    (tmp_path / "req.txt").write_text("no-such-package-of-ours\n")
    session.run(f"import os; os.environ['MYDIR'] = {str(tmp_path)!r}")
    ran = session.run(to_cell("%pip install --no-index -r $MYDIR/req.txt ${NOPE}", "python"))
    assert "No matching distribution found for no-such-package-of-ours" in ran.text
    session.run("name = 'no-such-package-of-ours'")
    ran = session.run(to_cell("%pip install --no-index {name}", "python"))
    assert "No matching distribution found for no-such-package-of-ours" in ran.text


def test_pip_in_a_script_is_quiet_and_its_failure_the_shells(session):
    assert stdout(session.run(to_cell("python -m pip install pip", "bash"))) == ""
    ran = session.run(to_cell("python -m pip install --no-index no-such-package-of-ours", "sh"))
    failed, exit_code = shell_outcome(ran, "sh")
    assert exit_code == 1
    assert failed.text.startswith("ERROR: ")


# How a shell ends


def test_the_exit_status_of_a_shell_is_the_blocks(session):
    result, exit_code = shell_outcome(session.run(to_cell("echo a; exit 3", "bash")), "bash")
    assert (result.status, exit_code, result.error) == (CellStatus.ERROR, 3, None)
    assert result.outputs == (StreamOutput("stdout", "a\n"),)
    assert result.cause == "The shell ended with exit status 3."


def test_an_error_of_python_in_a_shell_block_is_one_of_python(session):
    ran = session.run(to_cell("%undefined_magic", "bash"))
    result, exit_code = shell_outcome(ran, "bash")
    assert (result, exit_code) == (ran, ran.exit_code)
    raised = session.run("import subprocess; raise subprocess.CalledProcessError(3, 'command')")
    assert shell_outcome(raised, "python") == (raised, 1)


def test_a_shell_that_is_not_there_is_an_error(session):
    session.run("import os; path = os.environ['PATH']; os.environ['PATH'] = '/nowhere'")
    ran = session.run(to_cell("echo a", "zsh"))
    session.run("os.environ['PATH'] = path")
    result, exit_code = shell_outcome(ran, "zsh")
    assert (result.status, result.outputs, exit_code) == (CellStatus.ERROR, (), 127)
    assert result.cause == "There is no zsh where the kernel runs, so the block did not run."


def test_other_results_are_left_as_they_are():
    for result in (CellResult(CellStatus.OK), CellResult(CellStatus.TIMEOUT), CellResult(CellStatus.DIED)):
        assert shell_outcome(result, "bash") == (result, result.exit_code)


@pytest.mark.parametrize(
    ("language", "name", "expected"),
    [("bash", "CalledProcessError", True), ("SH ", "CalledProcessError", True), ("python", "CalledProcessError", False),
     ("bash", "NameError", False), ("bash", "KeyboardInterrupt", True), ("python", "KeyboardInterrupt", False)],
)  # fmt: skip
def test_only_how_a_shell_ends_is_a_shell_failure(language, name, expected):
    assert is_shell_failure(language, ErrorOutput(name, "Command 'bash' returned non-zero exit status 3.")) is expected


def test_a_shell_that_a_signal_ends_is_told_in_a_sentence(session):
    result, exit_code = shell_outcome(session.run(to_cell("echo a; kill -9 $$", "bash")), "bash")
    assert (result.status, exit_code, result.text) == (
        CellStatus.ERROR,
        1,
        "a\nThe shell was ended by signal SIGKILL.",
    )


# What a script is given


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ('read x\necho "got $x"\necho done', "got \ndone\n"),
        ("cat\necho one", "one\n"),
        ("printf '\n%s\n' abc", "\nabc\n"),
        ("echo $((1<<3))\necho after", "8\nafter\n"),
        ("echo a\u2028b", "a\u2028b\n"),
        ("echo 'a\x85b'", "a\x85b\n"),
        ("printf '\\xff\\xc3'", "\ufffd\ufffd"),
        ("echo $#", "0\n"),
        ("printf '%04096d\\xc3' 0; /bin/echo $(printf '\\xa9 and more')", f"{'0' * 4096}é and more\n"),
        ("#" + "x" * 300_000 + "\necho long", "long\n"),
    ],
)
def test_a_script_is_run_as_it_is(session, code, shown):
    result = session.run(to_cell(code, "bash"))
    assert (result.status, stdout(result)) == (CellStatus.OK, shown)


def test_a_script_leaves_no_name_behind(session):
    names = "print(sorted(name for name in dir() if name[0] != '_'))"
    before = stdout(session.run(names))
    session.run(to_cell("echo a", "bash"))
    assert stdout(session.run(names)) == before


def test_the_block_ends_with_its_shell_and_not_with_what_it_left_running(session, tmp_path):
    """The background job says its word when it is told to, in a later cell: as late output, in no other cell's place."""
    pipe = tmp_path / "told"
    os.mkfifo(pipe)
    result = session.run(to_cell(f"(read word < {pipe}; echo $word) &\necho started", "bash"), timeout=60)
    assert (result.status, stdout(result)) == (CellStatus.OK, "started\n")
    told = session.run(
        f"import threading\nwith open({str(pipe)!r}, 'w') as file: file.write('late\\n')\n"
        "readers = [t for t in threading.enumerate() if '_read' in t.name]\nfor t in readers: t.join()"
    )
    assert (told.status, stdout(told), "".join(output.text for output in told.late)) == (CellStatus.OK, "", "late\n")


def test_an_interrupt_reaches_the_shell_and_what_it_runs(session, tmp_path):
    code = f"trap 'echo cleaned > {tmp_path / 'done'}' INT\necho running\nsleep 1000\nexit 4"
    stream = session.stream(to_cell(code, "bash"))
    for _ in stream:
        session.interrupt()
    result, exit_code = shell_outcome(stream.result, "bash")
    assert (result.status, exit_code, result.error) == (CellStatus.INTERRUPTED, 130, None)
    assert (tmp_path / "done").read_text() == "cleaned\n"
    assert result.text.startswith("running\nThe cell was interrupted.")
