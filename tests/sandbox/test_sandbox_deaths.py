"""How a sandboxed kernel ended is said in a sentence, each cause in its own."""

import os
import signal

import psutil
import pytest

from cellblock.kernels.sandbox import limiter

pytestmark = pytest.mark.anyio

_FILL_SHARED_MEMORY = """
import mmap
held = [mmap.mmap(-1, 2**26) for _ in range(8)]
for region in held:
    for at in range(0, len(region), 4096):
        region[at] = 1
import time; time.sleep(5)
"""


@pytest.fixture(params=["control group", "guard"])
def kept_by(request, monkeypatch):
    """Who keeps the limit of memory: without a control group the guard does."""
    if request.param == "guard":
        monkeypatch.setattr(limiter, "cgroup_parents", lambda: None)
    return request.param


async def test_too_much_memory_of_one_process_is_an_error_of_the_cell_and_the_kernel_lives(make_session):
    async with make_session(memory="256M") as session:
        await session.run("kept = 7")
        result = await session.run("too_much = bytearray(10**9)")
        assert result.error.ename == "MemoryError"
        assert "Out of memory: the sandbox allows 256 MiB to all that runs in it." in result.text
        assert (await session.run("kept")).text == "7"


@pytest.mark.usefixtures("kept_by")
async def test_too_much_memory_of_all_kills_the_kernel_and_says_so(make_session):
    async with make_session(memory="256M") as session:
        result = await session.run(_FILL_SHARED_MEMORY, timeout=30)
        assert result.status == "died"
        assert result.cause == (
            "Out of memory: the code used more than the 256 MiB that its sandbox allows, so its kernel was killed."
        )
        assert not result.state_kept
        assert (await session.run("6 * 7")).text == "42"


async def test_a_child_that_takes_too_much_dies_alone_where_there_is_a_control_group(make_session):
    async with make_session(memory="256M") as session:
        await session.run("kept = 7")
        child = f"import sys, subprocess\nsubprocess.run([sys.executable, '-c', {_FILL_SHARED_MEMORY!r}]).returncode"
        result = await session.run(child, timeout=30)
        if limiter.cgroup_parents() is None:
            assert result.status == "died"
        else:
            assert result.text == "-9"
            assert (await session.run("kept")).text == "7"


async def test_too_much_on_disk_kills_the_kernel_and_the_next_can_tidy_up(make_session, tmp_path):
    async with make_session(workspace=tmp_path, disk="16M") as session:
        fill = "for n in range(4): open(f'f{n}', 'wb').write(bytes(10**7))\nimport time; time.sleep(5)"
        result = await session.run(fill, timeout=30)
        assert result.status == "died"
        assert result.cause == (
            "Disk full: the code wrote more than the 16 MiB that its sandbox allows, so its kernel was killed."
        )
        tidy = await session.run("import os\nfor name in os.listdir(): os.unlink(name)\nos.listdir()")
        assert tidy.text == "[]"


async def test_a_file_beyond_the_limit_is_an_error_of_the_cell(make_session):
    async with make_session(disk="16M") as session:
        result = await session.run("open('big', 'wb').write(bytes(2 * 10**7))")
        assert result.error.ename == "OSError"
        assert "Disk full: the sandbox allows 16 MiB to be written to its workspace." in result.text


async def test_too_many_processes_are_an_error_of_the_cell(make_session):
    async with make_session(pids=64) as session:
        result = await session.run("import subprocess\nhold = [subprocess.Popen(['sleep', '5']) for _ in range(100)]")
        assert result.error.ename == "BlockingIOError"
        assert "Too many processes: the sandbox allows 64 processes and threads." in result.text


async def test_no_network_is_an_error_of_the_cell(session):
    result = await session.run("import socket\nsocket.create_connection(('192.0.2.1', 443))")
    assert "The sandbox reaches no network." in result.text


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import os\nos._exit(3)", "The kernel exited with code 3."),
        (
            "import os\nos.kill(os.getpid(), 9)",
            "The kernel was killed by signal 9 (SIGKILL). The sandbox does not know why: no limit was reached.",
        ),
        ("import os\nos.kill(os.getpid(), 15)", "The kernel was killed by signal 15 (SIGTERM)."),
        ("import os\nos.abort()", "The kernel was killed by signal 6 (SIGABRT)."),
    ],
)
async def test_other_ends_are_said_as_they_were(session, code, cause):
    result = await session.run(code)
    assert result.status == "died"
    assert result.cause.startswith(cause)


async def test_a_crash_says_where(session):
    result = await session.run("import ctypes\nctypes.string_at(0)")
    assert "The kernel was killed by signal 11 (SIGSEGV). It crashed in File " in result.cause


async def test_a_sandbox_killed_from_outside_is_noticed_at_once(session):
    await session.run("1")
    os.kill(session.kernel._process.pid, signal.SIGKILL)
    result = await session.run("import time; time.sleep(30)", timeout=30)
    assert result.status == "died" or "killed" in result.cause
    assert result.duration < 10


async def test_nothing_is_left_when_the_first_process_is_killed(session):
    await session.run("import subprocess; subprocess.Popen(['sleep', '1000'], start_new_session=True)")
    first, kernel = (psutil.Process(pid) for pid in (session.kernel._process._first, session.kernel._process._kernel))
    everything = [first, kernel, *kernel.children(), kernel.parent()]
    assert len(everything) == 4
    first.kill()
    await session.run("1")  # whether it notices before or in this cell is chance
    assert (await session.run("6 * 7")).text == "42"
    assert not any(process.is_running() for process in everything)
