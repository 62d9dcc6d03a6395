"""Kernels of this process: started where and as they are told, heard in full, and gone when their owner is."""

import asyncio
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from cellblock._core.execution import Execution, output_of
from cellblock._core.messages import Requests
from cellblock._core.outputs import StreamOutput
from cellblock.errors import ConfigError, KernelSpecNotFound, KernelStartError
from cellblock.kernels.kernelspec import find_kernelspec
from cellblock.kernels.launch import ConnectionFileLauncher, DescriptorLauncher, launcher_for
from cellblock.kernels.local import LocalKernel
from kernelspecs import BASH

pytestmark = pytest.mark.anyio

CONNECTION_FILE = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


@pytest.fixture
async def start():
    kernels = []

    async def start(*args, **options):
        kernel = LocalKernel(*args, **options)
        kernels.append(kernel)
        return kernel, await kernel.start()

    yield start
    for kernel in kernels:
        await kernel.stop()


async def run(transport, code, requests=None):
    """What a cell printed."""
    execution = Execution(request := (requests or Requests()).execute(code))
    await transport.send(request)
    outputs = []
    async with asyncio.timeout(20):
        while not execution.over:
            outputs.append(execution.receive(await transport.receive()))
    return "".join(o.text for o in outputs if isinstance(o, StreamOutput))


async def is_gone(pid, within=5.0):
    async with asyncio.timeout(within):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# What cannot be started


def test_an_unknown_kernel_is_an_error_of_the_constructor():
    with pytest.raises(KernelSpecNotFound, match="Kernel nosuch is not installed"):
        LocalKernel("nosuch")


def test_a_folder_that_is_none_is_an_error_of_the_constructor(tmp_path):
    (tmp_path / "file").touch()
    for cwd in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(ConfigError) as caught:
            LocalKernel(cwd=cwd)
        assert str(caught.value) == (
            f"The kernel's working directory must exist, and {cwd} is no directory. Create it first."
        )


@pytest.mark.parametrize(
    "env",
    [{"A": 4711}, {1: "a"}, {"A": None}, {"A=B": "c"}, {"": "a"}, {"A": "4711\0"}, {"A\0": ""}, {"A": "4711\ud800"}],
)
def test_variables_that_cannot_be_set_are_an_error_of_the_constructor(env):
    with pytest.raises(ConfigError, match="nvironment variable") as caught:
        LocalKernel(env=env)
    assert "4711" not in str(caught.value)  # it may be a secret


@pytest.mark.parametrize("env", [{"TOKEN": b"hunter2"}, {b"hunter2": "TOKEN"}])
def test_the_error_about_a_variable_repeats_nothing_that_may_be_a_secret(env):
    with pytest.raises(ConfigError, match="was given as") as caught:
        LocalKernel(env=env)
    assert "hunter2" not in str(caught.value)


async def test_a_folder_that_is_gone_by_then_is_an_error_of_the_start(tmp_path):
    kernel = LocalKernel(cwd=tmp_path / ".")
    tmp_path.rmdir()
    with pytest.raises(KernelStartError, match="No such file or directory") as caught:
        await kernel.start()
    assert "Traceback" not in str(caught.value)
    await kernel.stop()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            ["sh", "-c", "echo my last words; echo a problem >&2; exit 3"],
            "The kernel bad ended before it was ready. The kernel exited with code 3. Its output: my last words\na problem",
        ),
        (
            ["true"],
            "The kernel bad ended before it was ready. The kernel exited with code 0. Its output: it said nothing",
        ),
        (
            ["sh", "-c", "kill -9 $$"],
            (
                "The kernel bad ended before it was ready. The kernel was killed by signal 9 (SIGKILL). "
                "Its output: it said nothing"
            ),
        ),
        (
            ["/no/such/program"],
            (
                "The kernel bad ended before it was ready. The kernel exited with code 1. "
                "Its output: /no/such/program cannot be run: No such file or directory."
            ),
        ),
    ],
)
async def test_a_program_that_ends_at_once_is_told_with_its_words(kernelspecs, argv, words):
    kernelspecs.add("bad", argv)
    kernel = LocalKernel("bad")
    with pytest.raises(KernelStartError) as caught:
        await kernel.start()
    assert str(caught.value) == words
    await kernel.stop()


async def test_a_start_that_is_cancelled_leaves_nothing(kernelspecs):
    """The guard of all tests looks for the process."""
    kernelspecs.add("slow", ["sleep", "1000"])
    kernel = LocalKernel("slow")
    starting = asyncio.create_task(kernel.start())
    await asyncio.sleep(0.2)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


# What a kernel is given


async def test_a_kernel_runs_where_and_with_what_it_is_told(start, tmp_path, monkeypatch):
    monkeypatch.setenv("OURS", "inherited")
    _, transport = await start(cwd=tmp_path, env={"THEIRS": "é\udce9", "PATH": "/changed"})
    code = "import os; print(os.getcwd(), os.environ['OURS'], ascii(os.environ['THEIRS']), os.environ['PATH'])"
    words = (await run(transport, code)).split()
    assert words == [str(tmp_path), "inherited", ascii("é\udce9"), "/changed"]


async def test_a_kernelspecs_variables_are_set_and_the_callers_come_last(start, kernelspecs):
    kernelspecs.add("variables", CONNECTION_FILE, env={"A": "specs", "B": "specs"})
    _, transport = await start("variables", env={"B": "callers"})
    assert await run(transport, "import os; print(os.environ['A'], os.environ['B'])") == "specs callers\n"


async def test_a_kernel_has_nothing_of_ours(start):
    """No descriptor but its own, no folder of ours to import from, no stdin, no terminal."""
    secret, other = os.pipe()
    os.set_inheritable(secret, True)
    _, transport = await start()
    code = f"""
        import os, sys
        print({secret} in map(int, os.listdir('/proc/self/fd')) and os.readlink('/proc/self/fd/{secret}'))
        print([p for p in sys.path if 'kernel_program' in p], sys.argv[1:], os.read(0, 1))
    """
    said = await run(transport, textwrap.dedent(code))
    assert said.splitlines()[1] == "[] [] b''"
    assert str(Path(f"/proc/self/fd/{secret}").readlink()) not in said  # noqa: ASYNC240
    os.close(secret)
    os.close(other)


async def test_the_socket_folder_is_gone_once_the_kernel_is_there(start):
    """The guard looks for folders too; here it is checked while the kernel lives."""
    await start()
    assert list(Path(tempfile.gettempdir()).glob("cellblock-*")) == []  # noqa: ASYNC240


async def test_a_long_path_to_temporary_files_is_no_hindrance(start, tmp_path, monkeypatch):
    """The path of a socket has 107 bytes at most."""
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    _, transport = await start()
    assert await run(transport, "print('here')") == "here\n"


# What it says


@pytest.mark.parametrize("launcher", [DescriptorLauncher, ConnectionFileLauncher])
async def test_nothing_is_missed_right_after_the_start(start, launcher):
    _, transport = await start(launcher=launcher())
    assert await run(transport, "print('first words')") == "first words\n"


async def test_nothing_is_lost_while_we_do_not_read(start, tmp_path):
    """ZMQ drops past 1000 messages unless told otherwise, on both sides."""
    _, transport = await start()
    done = tmp_path / "done"
    code = f"for i in range(5000): display({{'text/plain': str(i)}}, raw=True)\nopen({str(done)!r}, 'w').close()"
    execution = Execution(request := Requests().execute(code))
    await transport.send(request)
    until = time.monotonic() + 30
    while not done.exists():  # the event loop stands still: nobody reads
        assert time.monotonic() < until
        time.sleep(0.01)  # noqa: ASYNC251
    outputs = []
    async with asyncio.timeout(30):
        while not execution.over:
            outputs.append(execution.receive(await transport.receive()))
    shown = [output.data["text/plain"] for output in outputs if output is not None]
    assert shown == [str(i) for i in range(5000)]
    assert execution.missing == 0


async def test_an_object_that_shows_itself_is_no_loss(start):
    """Its result has no message, and must have no number either."""
    _, transport = await start()
    for body in ("print('itself')", "pass", "display(1)"):
        code = f"class Shows:\n    def _ipython_display_(self): {body}\nShows()"
        execution = Execution(request := Requests().execute(code))
        await transport.send(request)
        while not execution.over:
            execution.receive(await transport.receive())
        assert execution.missing == 0


async def test_half_of_a_surrogate_pair_does_not_take_the_text_around_it_along(start):
    _, transport = await start()
    assert await run(transport, "print('before \\ud83d after')") == "before \\ud83d after\n"


async def test_printing_nothing_sends_nothing(start):
    _, transport = await start()
    request = Requests().execute("print('', end='', flush=True)")
    execution = Execution(request)
    await transport.send(request)
    while not execution.over:
        message = await transport.receive()
        assert output_of(message) is None
        execution.receive(message)


# Interrupts and restarts


async def test_a_kernel_that_wants_a_message_is_interrupted_by_one(start, kernelspecs):
    """It ignores the signal, as a kernel whose kernelspec says "message" may."""
    kernelspecs.add("message", [*CONNECTION_FILE, "--quiet"], interrupt_mode="message")
    kernel, transport = await start("message")
    assert kernel.language == "python"
    requests = Requests()
    execution = Execution(request := requests.execute("import time; print('began', flush=True); time.sleep(1000)"))
    await transport.send(request)
    while not execution.over:
        output = execution.receive(await transport.receive())
        if output == StreamOutput("stdout", "began\n"):
            await kernel.interrupt()
    assert execution.error.ename == "KeyboardInterrupt"


async def test_a_second_start_is_a_fresh_kernel_and_no_death(start):
    kernel, transport = await start()
    before = await run(transport, "import os; print(os.getpid())")
    died = kernel.died
    transport = await kernel.start()
    assert await run(transport, "print(os.getpid())") != before
    assert not died.done()
    await is_gone(int(before))


async def test_stopping_twice_and_before_the_start_does_no_harm(start):
    await LocalKernel().stop()
    kernel, _ = await start()
    await kernel.stop()
    await kernel.stop()
    await kernel.interrupt()


# Its end


async def test_exit_handlers_run_when_it_is_stopped(start, tmp_path):
    kernel, transport = await start()
    await run(transport, f"import atexit; atexit.register(lambda: open({str(tmp_path / 'end')!r}, 'w').close())")
    await kernel.stop()
    assert (tmp_path / "end").exists()


async def test_what_it_started_ends_with_it(start):
    kernel, transport = await start()
    child = int(await run(transport, "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)"))
    await kernel.stop()
    await is_gone(child)


async def test_a_crash_is_told_with_the_users_lines(start):
    kernel, transport = await start()
    await transport.send(Requests().execute("import ctypes\ndef crash():\n    ctypes.string_at(0)\ncrash()"))
    async with asyncio.timeout(10):
        sentence = await kernel.died
    assert sentence.startswith("The kernel was killed by signal 11 (SIGSEGV). It crashed in File ")
    assert "line 3 in crash; called from File " in sentence
    assert "interactiveshell" not in sentence


OWNER = """
import sys, threading
from cellblock import Session
session = Session(kernel_name=sys.argv[1], timeout=None)
threading.Thread(target=session.run, args=(sys.argv[2],), daemon=True).start()
while session.status != "busy":
    pass
print(session.kernel._process.pid, flush=True)
sys.stdin.readline()
exec(sys.argv[3])
"""
BUSY = {"python3": "import time\nwhile True: time.sleep(0)", "bash": "while true; do :; done"}


@pytest.mark.usefixtures("kernelspecs")
@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("python3", "import os; os.kill(os.getpid(), 9)"),
        ("python3", "import os; os._exit(0)"),
        ("python3", "raise SystemExit(3)"),
        ("python3", "import os; os.kill(os.getpid(), 15)"),
        ("bash", "import os; os.kill(os.getpid(), 9)"),
    ],
    ids=["killed", "left at once", "left", "terminated", "killed beside bash"],
)
async def test_a_kernel_ends_with_its_owner(name, ending):
    """However its owner ends, and whatever it does meanwhile."""
    command = [sys.executable, "-c", OWNER, name, BUSY[name], ending]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        kernel = psutil.Process(int(owner.stdout.readline()))
        processes = [kernel, *kernel.children(recursive=True)]
        owner.stdin.write("\n")
        owner.stdin.flush()
        assert await asyncio.to_thread(owner.wait, 20) in (-9, 0, 3, -15)
        for process in processes:
            await is_gone(process.pid)
    finally:
        owner.kill()
        owner.communicate()


async def test_a_kernel_that_is_merely_forgotten_ends():
    """Nobody called stop, and the object is gone."""
    script = """
import asyncio, gc, sys
from cellblock.kernels.local import LocalKernel
async def main():
    kernel = LocalKernel()
    await kernel.start()
    print(kernel._process.pid, flush=True)
asyncio.run(main())
gc.collect()
sys.stdin.read()
"""
    command = [sys.executable, "-W", "ignore", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:  # noqa: ASYNC220
        await is_gone(int(owner.stdout.readline()))
        owner.communicate()


# Which way a kernel is started


def test_what_is_no_ipykernel_of_this_interpreter_is_started_the_standard_way(kernelspecs, tmp_path):
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o700)
    kernelspecs.add("other", [str(wrapper), *CONNECTION_FILE[1:]])
    assert not isinstance(launcher_for(find_kernelspec("python3")), ConnectionFileLauncher)
    assert isinstance(launcher_for(find_kernelspec("other")), ConnectionFileLauncher)
    assert isinstance(launcher_for(find_kernelspec("bash")), ConnectionFileLauncher)
    assert find_kernelspec("bash").argv == tuple(BASH)


async def test_an_ipykernel_of_another_interpreter_runs(start, kernelspecs, tmp_path):
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o700)
    kernelspecs.add("another", [str(wrapper), *CONNECTION_FILE[1:]])
    _, transport = await start("another")
    assert await run(transport, "print('here')") == "here\n"
