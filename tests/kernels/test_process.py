"""A kernel's process: watched, ended with all it started, and never left behind."""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys

import psutil
import pytest

from cellblock.errors import KernelStartError
from cellblock.kernels.process import KernelProcess, exit_sentence, open_log, open_memory

pytestmark = pytest.mark.anyio

SLEEPS = ["sleep", "1000"]


@pytest.fixture
async def start():
    started = []

    def start(argv, *, cwd=None, env=None, log=None, memory=None, lifeline=None):
        env = dict(os.environ) if env is None else env
        log = log or open_log()
        process = KernelProcess(argv, cwd=cwd, env=env, pass_fds=(), log=log, memory=memory, lifeline=lifeline)
        started.append(process)
        return process

    yield start
    for process in started:
        await process.gone(0)


async def has_written(process, text):
    async with asyncio.timeout(10):
        while text not in process.complaints():  # noqa: ASYNC110 - a file announces nothing
            await asyncio.sleep(0.005)


async def is_gone(pid):
    async with asyncio.timeout(5):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_an_exit_code_is_reported(start):
    process = start(["sh", "-c", "exit 7"])
    assert await process.ended == 7
    assert process.cause_of_death() == "The kernel exited with code 7."


async def test_a_signal_is_reported(start):
    process = start(["sh", "-c", "kill -SEGV $$"])
    assert await process.ended == -signal.SIGSEGV
    assert process.cause_of_death() == "The kernel was killed by signal 11 (SIGSEGV)."


async def test_an_interrupt_reaches_the_process_and_what_it_started(start):
    code = "import subprocess; print('began', flush=True); subprocess.run(['sleep', '1000'])"
    process = start([sys.executable, "-c", code])
    await has_written(process, "began")
    process.interrupt()
    async with asyncio.timeout(5):
        assert await process.ended == -signal.SIGINT


async def test_it_is_given_its_time_and_then_killed(start):
    willing = start(["sh", "-c", "sleep 0.1; exit 3"])
    await willing.gone(10)
    assert willing.ended.result() == 3
    stubborn = start(SLEEPS)
    await stubborn.gone(0.05)
    assert stubborn.ended.result() == -signal.SIGKILL


async def test_what_it_left_running_in_its_group_ends_with_it(start):
    process = start(["sh", "-c", "sleep 1000 & echo $! done; exit 0"])
    await process.ended
    await is_gone(int(process.complaints().split()[0]))


async def test_it_is_no_part_of_our_group_or_session(start):
    process = start(SLEEPS)
    assert os.getpgid(process.pid) == os.getsid(process.pid) == process.pid


async def test_of_its_complaints_the_end_is_kept(start):
    process = start([sys.executable, "-c", "print('x' * 9000); print('the end é')"])
    await process.ended
    assert process.complaints().endswith("x\nthe end é")
    assert len(process.complaints()) <= 4000


async def test_a_released_process_complains_no_more(start):
    process = start(["sh", "-c", "echo words"])
    await process.gone(5)
    assert (process.complaints(), process.last_words()) == ("", b"")


async def test_its_memory_outlives_it(start):
    memory = open_memory(65536)
    os.pwrite(memory.fileno(), b"words", 0)
    process = start(["true"], memory=memory)
    await process.ended
    assert process.last_words()[:5] == b"words"


@pytest.mark.parametrize(
    ("argv", "options", "words"),
    [
        (["/no/such/program"], {}, "No such file or directory"),
        (["true"], {"cwd": "/no/such/folder"}, "No such file or directory: '/no/such/folder'"),
        (["true"], {"env": {"A": "\0"}}, "embedded null byte"),
    ],
)
async def test_what_cannot_be_run_is_one_sentence(start, argv, options, words):
    log, (reading, writing) = open_log(), os.pipe()
    with pytest.raises(KernelStartError) as caught:
        start(argv, log=log, lifeline=writing, **options)
    assert str(caught.value).startswith("The kernel could not be started: ")
    assert words in str(caught.value)
    assert str(caught.value).endswith(f"The command was: {argv[0]}")
    assert log.closed
    assert os.read(reading, 1) == b""  # the lifeline is closed, too
    os.close(reading)


async def test_a_process_that_is_forgotten_gives_up_its_lifeline():
    """The kernel's program sees that and ends; nothing of ours keeps the process otherwise."""
    reading, writing = os.pipe()
    with open_log() as log:
        process = KernelProcess(SLEEPS, cwd=None, env=dict(os.environ), pass_fds=(), log=log, lifeline=writing)
        process.kill()
        await process.ended
        del process
        assert os.read(reading, 1) == b""
    os.close(reading)


async def test_a_forked_child_leaves_the_process_alone(start):
    reading, writing = os.pipe()
    process = start(SLEEPS, lifeline=writing)
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            coroutine = process.gone(0)
            with contextlib.suppress(StopIteration):
                coroutine.send(None)
                raise AssertionError("it waits for a process of its parent's")
            status = 0
        os._exit(status)
    assert (await asyncio.to_thread(os.waitpid, child, 0))[1] == 0
    assert not process.ended.done()
    assert psutil.pid_exists(process.pid)
    os.set_blocking(reading, False)
    with pytest.raises(BlockingIOError):  # the lifeline is still ours
        os.read(reading, 1)
    os.close(reading)


async def test_a_forked_child_does_not_keep_the_lifeline_open(start):
    reading, writing = os.pipe()
    process = start(SLEEPS, lifeline=writing)
    ours, the_childs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        the_childs.send(b"\0")  # it has let go of what is not its own, as far as it does
        the_childs.recv(1)  # until the test is done
        os._exit(0)
    the_childs.close()
    await asyncio.to_thread(ours.recv, 1)
    await process.gone(0)
    os.set_blocking(reading, False)
    try:
        assert os.read(reading, 1) == b""
    finally:
        ours.close()
        await asyncio.to_thread(os.waitpid, child, 0)
        os.close(reading)


async def test_neither_side_can_resize_the_memory():
    with open_memory(4096) as memory:
        seals = fcntl.fcntl(memory.fileno(), fcntl.F_GET_SEALS)
        assert seals & fcntl.F_SEAL_SHRINK
        assert seals & fcntl.F_SEAL_GROW
        with pytest.raises(PermissionError):
            os.ftruncate(memory.fileno(), 1)


CRASH = """Fatal Python error: Segmentation fault

Current thread 0x00007f (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "<ipython-input-1>", line 1 in <module>
  File "/venv/IPython/core/interactiveshell.py", line 3577 in run_code
"""


@pytest.mark.parametrize(
    ("returncode", "complaints", "sentence"),
    [
        (0, "", "The kernel exited with code 0."),
        (3, "noise", "The kernel exited with code 3."),
        (-9, "", "The kernel was killed by signal 9 (SIGKILL)."),
        (-200, "", "The kernel was killed by signal 200 (unknown)."),
        (
            -11,
            CRASH,
            (
                "The kernel was killed by signal 11 (SIGSEGV). It crashed in "
                'File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at; '
                'called from File "<ipython-input-1>", line 1 in <module>.'
            ),
        ),
        (-11, "Fatal Python error: x\n  no frames", "The kernel was killed by signal 11 (SIGSEGV)."),
    ],
)
def test_an_end_is_one_sentence(returncode, complaints, sentence):
    assert exit_sentence(returncode, complaints) == sentence
