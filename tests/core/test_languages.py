"""Blocks of each language as cells, and each of them really run in a kernel."""

import pytest

from cellblock._core.languages import canonical_language, is_shell_failure, to_cell
from cellblock._core.outputs import DisplayOutput, StreamOutput
from cellblock._core.results import CellResult, CellStatus
from cellblock._core.shell_failure import shell_outcome
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


def test_code_travels_as_a_literal():
    code = "echo '''\"\"\"\\ {x} $HOME\né"
    assert to_cell(code, "bash") == f"get_ipython().run_cell_magic('script', 'bash', {code + chr(10)!r})"


@pytest.mark.parametrize("line", ["!echo {x}", "%cd ..", "!pip list", "%time 1"])
def test_ipythons_own_lines_in_a_shell_block_stay(line):
    script = "get_ipython().run_cell_magic('script', 'bash', {!r})"
    cell = to_cell(f"echo a\n\n{line}\necho b", "bash")
    assert cell.split("\n") == [script.format("echo a\n\n"), line, script.format("echo b\n")]


@pytest.mark.parametrize(
    "code",
    [
        "! test -e nothing && echo none",
        "cat <<EOF\n!not a command\n%nor this\nEOF",
        "cat <<-'END'\n!no\n\tEND",
        "echo a\n  !indented",
        "%1",
    ],
)
def test_lines_that_are_the_shells_go_to_it_whole(code):
    assert to_cell(code, "bash") == f"get_ipython().run_cell_magic('script', 'bash', {code + chr(10)!r})"


def test_a_here_string_opens_no_document():
    assert "\n!echo b" in to_cell("cat <<< word\n!echo b", "bash")


def test_after_a_document_the_lines_are_ipythons_again():
    assert to_cell("cat <<EOF\n!a\nEOF\n!b", "bash").endswith("\n!b")


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
    failed = session.run(to_cell("%pip install --no-index no-such-package-of-ours", "python"))
    assert failed.text.startswith("ERROR: ")
    assert "restart the kernel" not in failed.text


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
     ("bash", "NameError", False)],
)  # fmt: skip
def test_only_a_shells_exit_status_is_a_shell_failure(language, name, expected):
    assert is_shell_failure(language, name) is expected
