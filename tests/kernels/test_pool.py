"""A pool of kernels made ready ahead: each given out once, unused, and none left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from cellblock import Session
from cellblock.errors import ConfigError, KernelStartError
from cellblock.kernels import pool as pool_module
from cellblock.kernels.forkserver.client import end_fork_servers, fork_server
from cellblock.kernels.pool import KernelPool
from cellblock.session import AsyncSession
from kernelspecs import KernelSpecs


@pytest.fixture(autouse=True)
def _own_servers():
    yield
    end_fork_servers()


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder of packages that the next fork server can import."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(":"))
    return folder


def until(condition, within=10.0):
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def spares():
    """The kernels that wait, as processes of the fork server."""
    return psutil.Process(fork_server().pid).children()


def pid(session):
    return int(session.run("import os; os.getpid()").text)


def parent_name(session):
    return psutil.Process(int(session.run("import os; os.getppid()").text)).name()


def test_sessions_get_kernels_that_waited():
    with KernelPool(2) as pool:
        until(lambda: len(spares()) == 2)
        waiting = {process.pid for process in spares()}
        with Session(pool.kernel(), timeout=60) as one, Session(pool.kernel(), timeout=60) as two:
            assert {pid(one), pid(two)} == waiting


def test_a_kernelspec_that_sets_what_is_read_at_a_start_keeps_kernels_from_waiting(tmp_path, monkeypatch):
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    KernelSpecs(tmp_path).add("python3", command, env={"MALLOC_ARENA_MAX": "1"})
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    with KernelPool(1) as pool:
        assert "MALLOC_ARENA_MAX" in pool.why_not
        assert pool.waiting == 0


def test_each_is_given_out_once_and_unused(tmp_path):
    """Nothing of one session is in the next, and each is where it was asked for."""
    seen = set()
    with KernelPool(1) as pool:
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            with Session(pool.kernel(cwd=folder, env={"NUMBER": str(number)}), timeout=60) as session:
                assert session.run("'left_behind' in globals()").text == "False"
                assert session.run("import os; left_behind = 1; os.getcwd(), os.environ['NUMBER']").ok
                assert session.run("os.getcwd()").text == repr(str(folder))
                assert session.run("os.environ['NUMBER']").text == repr(str(number))
                seen.add(pid(session))
    assert len(seen) == 3


def test_a_restart_takes_another():
    with KernelPool(1) as pool, Session(pool.kernel(), timeout=60) as session:
        before = pid(session)
        until(lambda: pool.waiting == 1)
        session.run("kept = 1")
        session.restart()
        assert session.run("'kept' in globals()").text == "False"
        assert pid(session) != before


def test_it_is_refilled_and_no_more_than_that():
    with KernelPool(2) as pool:
        sessions = [Session(pool.kernel(), timeout=60) for _ in range(5)]
        assert len({pid(session) for session in sessions}) == 5
        until(lambda: pool.waiting == 2)
        until(lambda: len(spares()) == 7)
        for session in sessions:
            session.close()
        until(lambda: len(spares()) == 2)


def test_a_spare_that_died_is_passed_over():
    with KernelPool(2) as pool:
        until(lambda: len(spares()) == 2)
        first = min(spares(), key=lambda process: process.create_time())
        first.send_signal(signal.SIGKILL)
        until(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE)
        with Session(pool.kernel(), timeout=60) as session:
            assert pid(session) != first.pid
            assert session.run("6 * 7").text == "42"


def test_spares_of_what_is_no_longer_installed_are_not_given_out(packages):
    (packages / "wares.py").write_text("version = 'old'\n")
    with KernelPool(2, preload=["wares"]) as pool:
        (packages / "wares.py").write_text("version = 'the new one'\n")
        (packages / "wares-2.dist-info").mkdir()
        with Session(pool.kernel(), timeout=60) as session:
            assert session.run("import wares; wares.version").text == "'the new one'"


def test_the_fork_servers_end_is_no_end_of_the_pool():
    with KernelPool(1) as pool:
        server = psutil.Process(fork_server().pid)
        server.kill()
        until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
        with Session(pool.kernel(), timeout=60) as session:
            assert session.run("6 * 7").text == "42"


def test_what_is_read_when_a_kernel_makes_itself_ready_gets_one_forked_for_it(tmp_path):
    """Its profile, for one, is in a folder that the environment names."""
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "first.py").write_text("from_profile = 'ran'\n")
    with KernelPool(1) as pool, Session(pool.kernel(env={"IPYTHONDIR": str(tmp_path)}), timeout=60) as session:
        assert session.run("from_profile").text == "'ran'"
        assert parent_name(session) == "cellblock-forks"


def test_what_is_read_at_a_start_gets_a_start():
    with KernelPool(1) as pool, Session(pool.kernel(env={"PYTHONHASHSEED": "7"}), timeout=60) as session:
        assert session.run("import os; os.environ['PYTHONHASHSEED']").text == "'7'"
        assert parent_name(session) != "cellblock-forks"


def test_packages_are_there_already():
    with KernelPool(1, preload=["numpy"]) as pool, Session(pool.kernel(), timeout=60) as session:
        assert session.run("import sys; 'numpy' in sys.modules").text == "True"
        assert session.run("import numpy; int(numpy.ones((200, 200)).sum())").text == "40000"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('not today')", "cannot be imported: ValueError: not today"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
            "keeps threads that a fork would lose",
        ),
        (
            "import os\nowner = os.getpid()\ndef DataFrame(data):\n    raise RuntimeError('not in a fork')",
            "does not work in a forked process: RuntimeError: not in a fork",
        ),
        (
            "import os\nowner = os.getpid()\ndef DataFrame(data):\n    os._exit(3)",
            "does not work in a forked process: exit code 3",
        ),
    ],
    ids=["import", "threads", "error", "crash"],
)
def test_a_package_that_must_not_be_preloaded_is_refused(packages, source, reason):
    """By the name of one that the pool knows how to try."""
    (packages / "polars.py").write_text(source)
    with pytest.raises(ConfigError, match="The packages cannot be preloaded: polars") as refused:
        KernelPool(1, preload=["polars"])
    assert reason in str(refused.value)


def test_a_pool_of_none_forks_with_what_is_preloaded():
    with KernelPool(0, preload=["numpy"]) as pool, Session(pool.kernel(), timeout=60) as session:
        assert session.run("import sys; 'numpy' in sys.modules").text == "True"
        assert pool.waiting == 0


def test_a_package_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="no_such_package cannot be imported: ModuleNotFoundError"):
        KernelPool(1, preload=["numpy", "no_such_package"])


@pytest.mark.parametrize("size", [-1, 1.5, True, "2"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ConfigError, match="The size of a pool must be a number"):
        KernelPool(size)


def test_a_name_instead_of_names_is_refused():
    with pytest.raises(ConfigError, match="preload must be a list of names"):
        KernelPool(1, preload="numpy")


@pytest.mark.parametrize("preload", [None, [1], {"numpy": 1}])
def test_what_is_no_list_of_names_is_refused(preload):
    with pytest.raises(ConfigError, match="preload must be a list of names"):
        KernelPool(1, preload=preload)


def test_packages_that_take_too_long_are_refused(packages, monkeypatch):
    os.mkfifo(packages / "awaited")
    (packages / "slow.py").write_text(f"open({str(packages / 'awaited')!r})")  # until somebody writes
    monkeypatch.setattr(pool_module, "_IMPORT_TIMEOUT", 0.01)
    with pytest.raises(ConfigError, match=r"cannot be preloaded: slow took longer than 0\.01 s\. Leave out"):
        KernelPool(1, preload=["slow"])


def test_a_pool_for_which_there_are_not_enough_descriptors_says_so_and_leaves_nothing():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fork_server()
    resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + 40, hard))
    try:
        with pytest.raises(KernelStartError, match=r"A pool of 20 kernels .*: Too many open files\. .*ulimit -n"):
            KernelPool(20)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: not spares())


def test_closing_ends_what_waits_and_leaves_what_was_given_out():
    pool = KernelPool(2)
    with Session(pool.kernel(), timeout=60) as session:
        kernel = pid(session)
        until(lambda: len(spares()) == 3)
        pool.close()
        pool.close()
        assert [process.pid for process in spares()] == [kernel]
        assert session.run("6 * 7").text == "42"
        with pytest.raises(ConfigError, match="closed"):
            pool.kernel()
        session.restart()  # its kernels are forked from now on
        assert session.run("6 * 7").text == "42"


def test_a_program_may_have_any_number_of_descriptors():
    """More than select(2) can name: a host of hundreds of kernels has them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        with contextlib.ExitStack() as opened:
            for _ in range(1100):
                opened.callback(os.close, os.dup(2))
            with KernelPool(1, preload=["wave"]) as pool, Session(pool.kernel(), timeout=60) as session:
                assert session.run("6 * 7").text == "42"
                until(lambda: pool.waiting == 1)
            assert pool.waiting == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_fills_itself_where_the_fork_server_has_too_many_requests():
    """It takes a dozen or so before it has begun."""
    with KernelPool(24) as pool:
        until(lambda: pool.waiting == 24)
        until(lambda: len(spares()) == 24)


def test_a_pool_that_is_dropped_leaves_nothing():
    pool = KernelPool(2)
    until(lambda: len(spares()) == 2)
    del pool
    gc.collect()
    until(lambda: not spares())


@pytest.mark.anyio
async def test_it_serves_any_event_loop_and_any_thread():
    with KernelPool(2) as pool:
        answers = []

        def in_a_thread():
            with Session(pool.kernel(), timeout=60) as session:
                answers.append(session.run("6 * 7").text)

        threads = [threading.Thread(target=in_a_thread) for _ in range(4)]
        for thread in threads:
            thread.start()
        async with AsyncSession(pool.kernel(), timeout=60) as session:
            answers.append((await session.run("6 * 7")).text)
        for thread in threads:
            thread.join()
    assert answers == ["42"] * 5


def test_a_forked_child_of_the_owner_takes_none_of_its_kernels():
    program = (
        "import os, sys, cellblock\n"
        "from cellblock.kernels.pool import KernelPool\n"
        "pool = KernelPool(1)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    with cellblock.Session(pool.kernel(), timeout=60) as own: print(own.run('6 * 7').text, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "assert pool.waiting == 1\n"
        "with cellblock.Session(pool.kernel(), timeout=60) as session: print(session.run('6 * 7').text)\n"
        "pool.close()\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "42\n42\n"
