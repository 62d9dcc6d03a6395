"""DockerCommandLineCodeExecutor: real containers made of an image without a registry."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest

from cellblock.coding.base import CodeBlock, CodeExecutor
from cellblock.coding.docker_commandline_code_executor import DockerCommandLineCodeExecutor

pytestmark = pytest.mark.docker
docker = pytest.importorskip("docker")

IMAGE = "cellblock-test-base:latest"


@pytest.fixture
def client():
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def executor(work_dir):
    with DockerCommandLineCodeExecutor(IMAGE, timeout=20, work_dir=work_dir) as executor:
        yield executor


@pytest.fixture
def quick_executor(tmp_path):
    with DockerCommandLineCodeExecutor(IMAGE, timeout=1, work_dir=tmp_path) as executor:
        yield executor


def run(executor, code, language="python"):
    return executor.execute_code_blocks([CodeBlock(code=code, language=language)])


def commands_in(executor):
    """The command lines of the processes in the executor's container."""
    script = r"for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline; echo; done 2>/dev/null"
    return run(executor, script, "sh").output


def exists(client, name):
    return bool(client.containers.list(all=True, filters={"name": f"^{name}$"}))


def test_class_and_object_are_executors(executor):
    assert isinstance(DockerCommandLineCodeExecutor, CodeExecutor)
    assert isinstance(executor, CodeExecutor)


def test_printed_result_is_autogens(executor, work_dir):
    file = work_dir / "tmp_code_07da107bb575cc4e02b0e1d6d99cc204.py"
    assert str(run(executor, "print('Hello, World!')")) == (rf"exit_code=0 output='Hello, World!\n' code_file='{file}'")
    assert file.read_text() == "print('Hello, World!')"


@pytest.mark.parametrize("language", ["Python", "py", "PYTHON"])
def test_python_by_any_of_its_names(executor, language):
    assert run(executor, "print(1)", language).output == "1\n"


def test_blocks_run_in_the_container(executor):
    result = run(executor, "pwd; test -e /.dockerenv && echo contained", "sh")
    assert result.output == "/workspace\ncontained\n"


def test_output_of_all_blocks_in_order(executor):
    blocks = ["echo one", "echo two >&2; exit 3", "echo three"]
    result = executor.execute_code_blocks([CodeBlock(code=code, language="bash") for code in blocks])
    assert (result.exit_code, result.output) == (3, "one\ntwo\n")


def test_unsupported_language(executor):
    result = run(executor, "x", "cobol")
    assert (result.exit_code, result.output) == (1, "Unsupported language cobol\n")


def test_file_named_by_the_first_line(executor, work_dir):
    result = run(executor, "# filename: deep/a.py\nprint(__file__)")
    assert (result.output, result.code_file) == ("/workspace/deep/a.py\n", str(work_dir / "deep" / "a.py"))
    result = run(executor, "# filename: ../a.py\n")
    assert (result.exit_code, result.output) == (1, "Filename is not in the workspace")


def test_javascript_is_only_saved(executor, work_dir):
    result = run(executor, "// a.js\nlet x;", "js")
    assert (result.exit_code, result.output) == (0, f"Code saved to {work_dir / 'a.js'}\n")


def test_no_blocks_is_an_error(executor):
    with pytest.raises(ValueError, match=r"^No code blocks to execute\.$"):
        executor.execute_code_blocks([])


def test_timeout_keeps_output_and_ends_what_was_started(quick_executor):
    started = time.monotonic()
    result = run(quick_executor, "import os, time; print('before'); os.system('sleep 61 &'); time.sleep(61)")
    assert time.monotonic() - started < 6
    assert (result.exit_code, result.output) == (124, "before\n\nTimeout")
    assert "sleep 61" not in commands_in(quick_executor)


def test_ctrl_c_ends_the_block(executor, work_dir):
    """The signal comes when the block has written its file."""

    def interrupt_when_running():
        while not (work_dir / "running").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_when_running).start()
    with pytest.raises(KeyboardInterrupt):
        run(executor, "touch running; sleep 62 & sleep 62", "bash")
    assert "sleep 62" not in commands_in(executor)


@pytest.mark.anyio
async def test_cancelling_ends_the_block_and_runs_no_more(executor, work_dir):
    codes = ("touch begun; sleep 64 & sleep 64", "touch second")
    blocks = [CodeBlock(code=code, language="sh") for code in codes]
    running = asyncio.create_task(executor.a_execute_code_blocks(blocks))
    while not (work_dir / "begun").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not (work_dir / "second").exists()
    assert "sleep 64" not in commands_in(executor)
    block = CodeBlock(code="echo a", language="sh")
    assert (await executor.a_execute_code_blocks([block])).output == "a\n"


def test_restart_ends_processes_and_keeps_files(executor):
    run(executor, "echo kept >~/note; sleep 63 >/dev/null 2>&1 &", "bash")
    assert "sleep 63" in commands_in(executor)
    executor.restart()
    assert "sleep 63" not in commands_in(executor)
    assert run(executor, "cat ~/note", "sh").output == "kept\n"


def test_restart_starts_a_container_that_has_ended(client, tmp_path):
    name = f"cellblock-test-{uuid.uuid4()}"
    with DockerCommandLineCodeExecutor(IMAGE, container_name=name, work_dir=tmp_path, auto_remove=False) as executor:
        client.containers.get(name).kill()
        with pytest.raises(ValueError, match=f"^The container {name} cannot run the block: "):
            run(executor, "print(1)")
        executor.restart()
        assert run(executor, "print(1)").output == "1\n"
    client.containers.get(name).remove()


def test_stop_removes_the_container_and_may_be_called_again(client, tmp_path):
    name = f"cellblock-test-{uuid.uuid4()}"
    executor = DockerCommandLineCodeExecutor(IMAGE, container_name=name, work_dir=tmp_path)
    assert exists(client, name)
    executor.stop()
    assert not exists(client, name)
    executor.stop()
    with pytest.raises(ValueError, match=rf"^The container {name} was stopped\. Make a new executor\.$"):
        run(executor, "print(1)")


def test_container_can_be_kept_for_a_look(client, tmp_path):
    name = f"cellblock-test-{uuid.uuid4()}"
    with DockerCommandLineCodeExecutor(IMAGE, container_name=name, work_dir=tmp_path, auto_remove=False):
        pass
    container = client.containers.get(name)
    assert container.status == "exited"
    container.remove()


def own_program(name, tmp_path, rest, **arguments):
    """Starts a program that makes an executor, prints a line and does the rest."""
    code = (
        "import time\n"
        "from cellblock.coding.docker_commandline_code_executor import DockerCommandLineCodeExecutor\n"
        f"executor = DockerCommandLineCodeExecutor({IMAGE!r}, container_name={name!r}, work_dir={str(tmp_path)!r}, "
        f"**{arguments!r})\nprint('ready', flush=True)\n{rest}"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    return process


@pytest.mark.parametrize("sudden", [False, True])
def test_container_ends_with_its_program(client, tmp_path, sudden):
    """Also when the program is killed and can do nothing about it."""
    name = f"cellblock-test-{uuid.uuid4()}"
    process = own_program(name, tmp_path, "time.sleep(60)" if sudden else "")
    container = client.containers.get(name) if sudden else None
    if container is not None:
        process.kill()
        container.wait(condition="removed", timeout=20)
    process.wait(timeout=20)
    assert not exists(client, name)


def test_stop_container_false_leaves_it_running(client, tmp_path):
    name = f"cellblock-test-{uuid.uuid4()}"
    process = own_program(name, tmp_path, "", stop_container=False)
    assert process.wait(timeout=20) == 0
    container = client.containers.get(name)
    assert container.status == "running"
    container.remove(force=True)


def test_bind_dir_is_what_the_container_sees(tmp_path):
    work_dir, bind_dir = tmp_path / "work", tmp_path / "bind"
    bind_dir.mkdir()
    (bind_dir / "note").write_text("bound")
    with DockerCommandLineCodeExecutor(IMAGE, work_dir=work_dir, bind_dir=bind_dir) as executor:
        assert (executor.work_dir, executor.bind_dir) == (work_dir, bind_dir)
        (bind_dir / "a.sh").write_text("cat note")  # the same directory under both names, if this were another machine
        assert run(executor, "# a.sh\ncat note", "sh").output == "bound"


@pytest.mark.parametrize(
    ("policies", "expected"),
    [(None, True), ({"python": False}, False)],
)
def test_policies(tmp_path, policies, expected):
    with DockerCommandLineCodeExecutor(IMAGE, work_dir=tmp_path, execution_policies=policies) as executor:
        assert executor.execution_policies["python"] is expected
        assert set(executor.execution_policies) == set(DockerCommandLineCodeExecutor.DEFAULT_EXECUTION_POLICY)
        assert (run(executor, "print(1)").output == "1\n") is expected


def test_arguments_are_checked_before_anything_starts(tmp_path):
    with pytest.raises(ValueError, match=r"^Timeout must be greater than or equal to 1\.$"):
        DockerCommandLineCodeExecutor("no such image", timeout=0)
    with pytest.raises(FileNotFoundError):
        DockerCommandLineCodeExecutor("no such image", work_dir=tmp_path / "a" / "b")


def test_missing_image_is_said(tmp_path):
    message = r"^The image localhost:1/none is not here and cannot be pulled: .*\. Build it, or name another\.$"
    with pytest.raises(ValueError, match=message):
        DockerCommandLineCodeExecutor("localhost:1/none", work_dir=tmp_path)


def test_docker_out_of_reach_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(
        ValueError, match=r"^Docker cannot be reached: .*Start it, or set DOCKER_HOST to where it is\.$"
    ):
        DockerCommandLineCodeExecutor(IMAGE, work_dir=tmp_path)
