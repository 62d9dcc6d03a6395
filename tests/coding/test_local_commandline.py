"""LocalCommandLineCodeExecutor: real processes in a temporary work directory."""

import asyncio
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from cellblock.coding.base import CodeBlock, CodeExecutor
from cellblock.coding.local_commandline_code_executor import LocalCommandLineCodeExecutor
from cellblock.coding.virtual_env import create_virtual_env


@pytest.fixture
def executor(tmp_path):
    return LocalCommandLineCodeExecutor(timeout=30, work_dir=tmp_path)


def run(executor, code, language="python"):
    return executor.execute_code_blocks([CodeBlock(code=code, language=language)])


def processes_in(directory):
    """The commands of the processes whose current directory this is."""
    return [
        process.info["cmdline"]
        for process in psutil.process_iter(["cwd", "cmdline", "status"])
        if process.info["cwd"] == str(directory) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_class_and_object_are_executors(executor):
    assert isinstance(LocalCommandLineCodeExecutor, CodeExecutor)
    assert isinstance(executor, CodeExecutor)


def test_printed_result_is_autogens(executor, tmp_path):
    result = run(executor, "print('Hello, World!')")
    file = tmp_path / "tmp_code_07da107bb575cc4e02b0e1d6d99cc204.py"
    assert str(result) == rf"exit_code=0 output='Hello, World!\n' code_file='{file}'"
    assert file.read_text() == "print('Hello, World!')"


@pytest.mark.parametrize("language", ["python", "Python", "py", "PYTHON"])
def test_python_by_any_of_its_names(executor, language):
    assert run(executor, "print(1)", language).output == "1\n"


@pytest.mark.parametrize("language", ["bash", "shell", "sh", "Bash"])
def test_shells(executor, language):
    assert run(executor, "echo $((40 + 2))", language).output == "42\n"


def test_blocks_share_files_but_no_variables(executor):
    result = executor.execute_code_blocks(
        [
            CodeBlock(code="x = 1; open('note', 'w').write('kept')", language="python"),
            CodeBlock(code="print(open('note').read(), 'x' in globals())", language="python"),
        ]
    )
    assert (result.exit_code, result.output) == (0, "kept False\n")


def test_output_is_standard_error_then_standard_output(executor):
    result = run(executor, "import sys; print('out'); print('err', file=sys.stderr)")
    assert result.output == "err\nout\n"


def test_first_failing_block_stops(executor, tmp_path):
    blocks = ["print('one')", "print('two'); raise SystemExit(3)", "print('three')"]
    result = executor.execute_code_blocks([CodeBlock(code=code, language="python") for code in blocks])
    assert (result.exit_code, result.output) == (3, "one\ntwo\n")
    assert len(list(tmp_path.iterdir())) == 2


def test_no_blocks(executor):
    result = executor.execute_code_blocks([])
    assert str(result) == "exit_code=0 output='' code_file=None"


def test_unknown_language_stops_and_is_named(executor):
    result = executor.execute_code_blocks(
        [CodeBlock(code="print(1)", language="python"), CodeBlock(code="x", language="cobol")]
    )
    assert (result.exit_code, result.output) == (1, "1\n\nunknown language cobol")


@pytest.mark.parametrize(
    ("language", "code", "name"),
    [
        ("python", "# filename: a.py\nprint(1)", "a.py"),
        ("python", "# a.py\nprint(1)", "a.py"),
        ("python", "# filename: my plot.py\nprint(1)", "my plot.py"),
        ("python", "# filename: deep/er/a.py\nprint(1)", "deep/er/a.py"),
        ("javascript", "// filename: a.js\nlet x;", "a.js"),
        ("javascript", "// a.js\nlet x;", "a.js"),
        ("css", "/* a.css */\nh1 {}", "a.css"),
        ("html", "<!-- filename: a.html -->\n<p>", "a.html"),
        ("html", "<!-- a.html -->\n<p>", "a.html"),
    ],
)
def test_file_is_named_by_the_first_line(executor, tmp_path, language, code, name):
    result = run(executor, code, language)
    assert result.exit_code == 0
    assert result.code_file == str(tmp_path / name)
    assert Path(result.code_file).read_text() == code


@pytest.mark.parametrize("comment", ["# load the data/base", "# Fibonacci", "#!/usr/bin/env python", "#", "# "])
def test_other_comments_name_no_file(executor, comment):
    result = run(executor, f"{comment}\nprint(1)")
    assert result.output == "1\n"
    assert Path(result.code_file).name.startswith("tmp_code_")


@pytest.mark.parametrize("name", ["/etc/hosts.py", "../a.py", "a/../../b.py", "/etc/x", ".", ".."])
def test_file_outside_of_the_work_directory_is_refused(executor, tmp_path, name):
    result = run(executor, f"# filename: {name}\nprint(1)")
    assert (result.exit_code, result.output) == (1, "Filename is not in the workspace")
    assert list(tmp_path.iterdir()) == []


def test_symbolic_link_out_of_the_work_directory_is_refused(executor, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (tmp_path / "link").symlink_to(elsewhere)
    result = run(executor, "# filename: link/a.py\nprint(1)")
    assert (result.exit_code, result.output) == (1, "Filename is not in the workspace")
    assert list(elsewhere.iterdir()) == []


def test_policies_save_instead_of_run(tmp_path):
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path, execution_policies={"python": False})
    assert executor.execution_policies == LocalCommandLineCodeExecutor.DEFAULT_EXECUTION_POLICY | {"python": False}
    result = run(executor, "# a.py\nprint(1)")
    assert (result.exit_code, result.output) == (0, f"Code saved to {tmp_path / 'a.py'}\n")
    assert run(executor, "echo 1", "sh").output == "1\n"


def test_language_that_nothing_runs_is_said(tmp_path):
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path, execution_policies={"html": True})
    with pytest.raises(ValueError, match=r"^There is no command that runs html\. Set its execution policy to False\.$"):
        run(executor, "<p>", "html")


def test_missing_interpreter_is_a_result(executor, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run(executor, "echo", "pwsh")
    assert result.exit_code == 127
    assert result.output == "powershell is not installed, so this pwsh block cannot be run.\n"


def test_timeout_keeps_output_and_kills_the_process_group(tmp_path):
    executor = LocalCommandLineCodeExecutor(timeout=1, work_dir=tmp_path)
    started = time.monotonic()
    code = "import subprocess, time; print('before'); subprocess.Popen(['sleep', '60']); time.sleep(60)"
    result = run(executor, code)
    assert time.monotonic() - started < 3
    assert (result.exit_code, result.output) == (124, "before\n\nTimeout")
    assert processes_in(tmp_path) == []


def test_timeout_is_for_all_blocks_together(tmp_path):
    executor = LocalCommandLineCodeExecutor(timeout=1.5, work_dir=tmp_path)
    started = time.monotonic()
    result = executor.execute_code_blocks([CodeBlock(code="sleep 1; echo done", language="sh")] * 3)
    assert (result.exit_code, result.output) == (124, "done\n\nTimeout")
    assert time.monotonic() - started < 2.5


def test_ctrl_c_ends_the_process_group(executor, tmp_path):
    """The signal comes when the block has written its file."""

    def interrupt_when_running():
        while not (tmp_path / "running").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_when_running).start()
    with pytest.raises(KeyboardInterrupt):
        run(executor, "touch running; sleep 60 & sleep 60", "bash")
    assert processes_in(tmp_path) == []


@pytest.mark.anyio
async def test_blocks_can_be_awaited_beside_others(executor):
    block = CodeBlock(code="echo a", language="sh")
    first, second = await asyncio.gather(*(executor.a_execute_code_blocks([block]) for _ in range(2)))
    assert first == second == executor.execute_code_blocks([block])


@pytest.mark.anyio
async def test_cancelling_kills_the_process_group_and_runs_no_more_blocks(executor, tmp_path):
    codes = ("touch running; sleep 60 & sleep 60", "touch second")
    blocks = [CodeBlock(code=code, language="bash") for code in codes]
    running = asyncio.create_task(executor.a_execute_code_blocks(blocks))
    while not (tmp_path / "running").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert processes_in(tmp_path) == []
    assert not (tmp_path / "second").exists()
    assert run(executor, "print(1)").output == "1\n"


def test_process_in_the_background_is_not_waited_for(executor, tmp_path):
    started = time.monotonic()
    result = run(executor, "sleep 60 & echo $! > pid; echo started", "bash")
    try:
        assert (result.exit_code, result.output) == (0, "started\n")
        assert time.monotonic() - started < 5
        assert processes_in(tmp_path) == [["sleep", "60"]]
    finally:
        psutil.Process(int((tmp_path / "pid").read_text())).kill()


def test_killed_process_is_named_with_its_signal(executor):
    result = run(executor, "import os, signal; print('last words'); os.kill(os.getpid(), signal.SIGSEGV)")
    assert result.exit_code == 139
    assert result.output == "last words\n\nThe process was killed by signal 11 (SIGSEGV)."


def test_input_fails_at_once(executor):
    result = run(executor, "input('? ')")
    assert result.exit_code == 1
    assert "EOFError" in result.output


def test_output_that_is_not_utf8_is_kept(executor):
    assert run(executor, r"printf 'a\377b\r\nc'", "sh").output == "a\ufffdb\nc"


def test_output_reads_as_on_a_terminal(executor):
    assert run(executor, r"printf '10%%\r100%%\n\033[31mred\033[0m\n'", "sh").output == "100%\nred\n"


def test_flood_is_cut_for_the_model_and_kept_in_a_file(executor, tmp_path):
    result = run(executor, "for i in range(40_000): print(i)")
    assert result.output.startswith("0\n1\n")
    assert result.output.endswith("39998\n39999\n")
    (whole,) = tmp_path.glob("tmp_output_*.txt")
    assert f"characters of output were left out here. The whole output is in {whole}.]" in result.output
    assert whole.read_text() == "".join(f"{i}\n" for i in range(40_000))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("rm -rf /", "Use of 'rm -rf' command is not allowed."),
        ("mv file /dev/null", "Moving files to /dev/null is not allowed."),
        ("dd if=/dev/zero of=/dev/sda", "Use of 'dd' command is not allowed."),
        ("echo Hello > /dev/sda", "Overwriting disk blocks directly is not allowed."),
        (":(){ :|:& };:", "Fork bombs are not allowed."),
    ],
)
@pytest.mark.parametrize("language", ["bash", "shell", "sh"])
def test_dangerous_commands_are_refused(executor, tmp_path, language, code, message):
    with pytest.raises(ValueError, match=r"^Potentially dangerous command detected: ") as refusal:
        run(executor, code, language)
    assert str(refusal.value) == f"Potentially dangerous command detected: {message}"
    assert list(tmp_path.iterdir()) == []


def test_dangerous_words_in_python_are_no_command():
    LocalCommandLineCodeExecutor.sanitize_command("python", "print('rm -rf /')")


def test_pip_install_is_silenced(executor):
    result = run(executor, "pip install pip\nprintf ''", "bash")
    assert "-qqq" in Path(result.code_file).read_text()
    assert (result.exit_code, result.output) == (0, "")


def test_python_is_this_programs_environment(executor):
    assert run(executor, "import sys; print(sys.prefix)").output == f"{sys.prefix}\n"
    assert run(executor, "python -c 'import sys; print(sys.prefix)'", "sh").output == f"{sys.prefix}\n"


def test_virtual_environment_comes_first(tmp_path):
    environment = create_virtual_env(tmp_path / "venv", with_pip=False)
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path, virtual_env_context=environment)
    code = "import sys; print(sys.prefix)"
    assert run(executor, code).output == f"{environment.env_dir}\n"
    assert run(executor, f"python -c '{code}'", "sh").output == f"{environment.env_dir}\n"


def test_restart_warns_that_it_does_nothing(executor):
    message = "Restarting local command line code executor is not supported. No action is taken."
    with pytest.warns(UserWarning, match=f"^{message}$"):
        executor.restart()


def test_timeout_under_a_second_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^Timeout must be greater than or equal to 1\.$"):
        LocalCommandLineCodeExecutor(timeout=0, work_dir=tmp_path)


def test_functions_module_must_be_a_name(tmp_path):
    with pytest.raises(ValueError, match=r"^Module name must be a valid Python identifier$"):
        LocalCommandLineCodeExecutor(functions_module="my functions", work_dir=tmp_path)


def test_work_directory_is_made_without_its_parents(tmp_path):
    assert LocalCommandLineCodeExecutor(work_dir=str(tmp_path / "new")).work_dir == tmp_path / "new"
    assert (tmp_path / "new").is_dir()
    with pytest.raises(FileNotFoundError):
        LocalCommandLineCodeExecutor(work_dir=tmp_path / "a" / "b")


def test_properties(tmp_path):
    executor = LocalCommandLineCodeExecutor(timeout=10, work_dir=tmp_path)
    assert (executor.timeout, executor.work_dir) == (10, tmp_path)
    assert (executor.functions, executor.functions_module) == ([], "functions")
    assert LocalCommandLineCodeExecutor.SUPPORTED_LANGUAGES[:3] == ("bash", "shell", "sh")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (f"# filename: {'x' * 300}\nprint(1)", rf"names, {'x' * 80}… \(File name too long\). Give it another name\."),
        ("# filename: folder\nprint(1)", r"names, folder \(Is a directory\). Give it another name\."),
        (
            "# filename: file/x.py\nprint(1)",
            r"names, file/x\.py \((File exists|Not a directory)\)\. Give it another name\.",
        ),
        ("# filename: a\0b.py\nprint(1)", "Filename is not in the workspace"),
        ("# filename: circle\nprint(1)", "."),
        ("print('\ud83d')", r"The block cannot be written: its character 8 is half of a surrogate pair\. Remove it\."),
    ],
)
def test_block_that_cannot_be_written_is_a_failed_result(executor, tmp_path, code, sentence):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    result = run(executor, code)
    assert (result.exit_code, result.code_file) == (1, None)
    assert re.search(f"{sentence}$", result.output)
