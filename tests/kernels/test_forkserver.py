"""Forked kernels: the same as started ones, told apart by nothing but their speed, and never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cellblock import Session
from cellblock._core.results import CellStatus
from cellblock.errors import KernelStartError
from cellblock.kernels.forkserver.client import end_fork_servers, fork_server
from cellblock.kernels.forkserver.launcher import ForkLauncher
from cellblock.kernels.forkserver.rules import why_not_forked
from cellblock.kernels.kernelspec import KernelSpec, find_kernelspec
from cellblock.kernels.launch import PROGRAM, DescriptorLauncher, launcher_for
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.pool import KernelPool
from cellblock.session import AsyncSession

OWNER = Path(__file__).with_name("owner_program.py")

PROBE = """
import json as _json, os as _os, sys as _sys
def _probe():
    import locale, logging, os, resource, signal, sys, tempfile, threading, warnings, gc
    shell = get_ipython()
    limits = [getattr(resource, name) for name in sorted(dir(resource)) if name.startswith("RLIMIT_")]
    return {
        "sys": [sys.path, sys.argv, str(sys.flags), sys._xoptions, sys.executable, sys.getrecursionlimit()],
        "imports": [len(sys.meta_path), len(sys.path_hooks), str(warnings.filters)],
        "names": [__name__, sorted(globals()), sorted(vars(sys.modules["__main__"]))],
        "foreign modules": sorted(m for m in sys.modules if "." not in m and m.startswith(("fork_", "lifeline"))),
        "place": [os.getcwd(), str(_dh), shell.starting_dir, tempfile.gettempdir()],
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "limits": [oct(os.umask(0o022)), [resource.getrlimit(limit) for limit in limits]],
        "group": [os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid()],
        "signals": {s.name: str(signal.getsignal(s)).split(" at ")[0] for s in signal.Signals},
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "process": open("/proc/self/comm").read(),
        "locale": [locale.setlocale(locale.LC_ALL), sys.getfilesystemencoding()],
        "logging": [logging.root.level, [str(type(h)) for h in logging.root.handlers]],
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count() > 0],
        "shell": [shell.execution_count, shell.history_manager.enabled, str(sys.displayhook).split(" at ")[0]],
        "stdin": sys.stdin.read(),
    }
print(_json.dumps(_probe()))
"""


@pytest.fixture(autouse=True)
def _own_servers():
    """Servers for packages and environments of these tests are not left to the tests after."""
    yield
    end_fork_servers()


def session_on(launcher, **options):
    return Session(LocalKernel(launcher=launcher, **options), timeout=60)


def printed(result):
    assert result.ok, result
    return "".join(output.text for output in result.outputs)


def run(code, launcher=None, **options):
    """What a cell printed in a kernel of its own."""
    with session_on(launcher or ForkLauncher(), **options) as session:
        return printed(session.run(code))


def is_forked(session):
    """Whether the kernel's parent is a fork server, which has a name of its own."""
    parent = int(session.run("import os; os.getppid()").text)
    return psutil.Process(parent).name() == "cellblock-forks"


def wait_until_gone(pids, within=5.0):
    until = time.monotonic() + within
    while left := [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]:
        assert time.monotonic() < until, f"still there: {[psutil.Process(pid).cmdline() for pid in left]}"
        time.sleep(0.01)


# The same as a started kernel


@pytest.fixture(scope="module")
def started_kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    return folder, json.loads(run(PROBE, DescriptorLauncher(), cwd=folder, env={"ASKED_FOR": "ü this"}))


def test_a_forked_kernel_is_as_a_started_one(started_kernel):
    """Paths, names, environment, limits, signals, threads, streams: whatever a cell can see of its surroundings."""
    folder, started = started_kernel
    assert json.loads(run(PROBE, cwd=folder, env={"ASKED_FOR": "ü this"})) == started


def test_a_spare_kernel_is_as_a_started_one(started_kernel):
    """Though it has made itself ready in another place."""
    folder, started = started_kernel
    with KernelPool(1) as pool, Session(pool.kernel(cwd=folder, env={"ASKED_FOR": "ü this"}), timeout=60) as session:
        assert json.loads(printed(session.run(PROBE))) == started


def test_kernels_are_forked_by_default_and_from_one_server():
    with Session(timeout=60) as one, Session(timeout=60) as two:
        assert is_forked(one)
        parents = {session.run("import os; os.getppid()").text for session in (one, two)}
    assert parents == {str(fork_server().pid)}


def test_the_servers_imports_are_all_that_a_first_cell_needs():
    """Or each kernel would import the rest by itself, which is what forking saves."""
    program = (
        f"import sys; sys.path.insert(0, {str(PROGRAM)!r})\n"
        "import cellblock_forked, cellblock_fork_server as it; it.import_all(it._USED_BY_EVERY_KERNEL + it._USED_BY_ERRORS)\n"
        "import json; print(json.dumps(sorted(sys.modules)))"
    )
    there = json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    needed = json.loads(run("import sys, json; print(json.dumps(sorted(sys.modules)))"))
    assert set(needed) - set(there) <= {
        "cellblock_preloads",
        "cellblock_process",
        "cellblock_staleness",
        "sitecustomize",
    }


def test_the_owners_umask_and_limits_now_are_the_kernels():
    """Not those at the time the fork server began."""
    fork_server()
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    umask = os.umask(0o077)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
        code = "import os, resource; print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_CORE)[0])"
        assert run(code) == "0o77 0\n"
    finally:
        os.umask(umask)
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def test_the_time_zone_is_the_one_asked_for():
    assert run("import time; print(time.tzname[0])", env={"TZ": "Asia/Tokyo"}) == "JST\n"


# Where a fork would not give what is asked for


@pytest.mark.parametrize("variable", ["PYTHONHASHSEED", "LD_LIBRARY_PATH", "LC_ALL", "LANG", "OPENSSL_CONF"])
def test_a_variable_that_is_read_at_a_start_gets_a_start(variable):
    value = {"LC_ALL": "C", "LANG": "C", "OPENSSL_CONF": os.devnull}.get(variable, "7")
    with Session(env={variable: value}, timeout=60) as session:
        assert not is_forked(session)
        assert session.run(f"import os; os.environ[{variable!r}]").text == repr(value)
    assert variable in why_not_forked(find_kernelspec("python3"), env={variable: value})


def test_a_variable_of_a_package_matters_only_where_it_is_preloaded():
    spec = find_kernelspec("python3")
    assert why_not_forked(spec, env={"OMP_NUM_THREADS": "1"}) is None
    assert "OMP_NUM_THREADS" in why_not_forked(spec, env={"OMP_NUM_THREADS": "1"}, preload=["numpy"])
    assert "SOMEPACKAGE_MODE" in why_not_forked(spec, env={"SOMEPACKAGE_MODE": "x"}, preload=["somepackage"])


def test_the_variable_as_it_is_already_changes_nothing(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    assert why_not_forked(find_kernelspec("python3"), env={"PYTHONHASHSEED": "5"}) is None


def test_other_kernelspecs_and_interpreters_are_started(tmp_path):
    arguments = ("-m", "ipykernel_launcher", "-f", "{connection_file}")
    assert "bash" in why_not_forked(KernelSpec("bash", ("bash", "{connection_file}")))
    assert "another interpreter" in why_not_forked(KernelSpec("other", (str(tmp_path / "python"), *arguments)))
    assert why_not_forked(KernelSpec("own", (sys.executable, *arguments))) is None
    assert isinstance(launcher_for(KernelSpec("own", (sys.executable, *arguments))), ForkLauncher)


def test_relative_folders_in_pythonpath_get_a_start(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "here")
    assert "PYTHONPATH" in why_not_forked(find_kernelspec("python3"))


def test_a_changed_environment_of_the_owner_gets_another_server(monkeypatch):
    """What a start reads is part of what tells servers apart."""
    monkeypatch.setenv("LANGUAGE", "de")
    with Session(timeout=60) as session:
        assert is_forked(session)
        assert session.run("import os; os.environ['LANGUAGE']").text == "'de'"


def test_an_upgraded_package_is_noticed(tmp_path):
    """The next kernel has the new version, though the fork server had imported the old one."""
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "wares.py").write_text("version = 'old'\n")
    program = (
        "import pathlib, sys, cellblock\n"
        "from cellblock.kernels.forkserver.launcher import ForkLauncher\n"
        "from cellblock.kernels.local import LocalKernel\n"
        "def ask():\n"
        "    with cellblock.Session(LocalKernel(launcher=ForkLauncher(['wares'])), timeout=60) as session:\n"
        "        print(session.run('import wares, sys; wares.version').text, flush=True)\n"
        "ask()\n"
        "pathlib.Path(sys.argv[1], 'wares.py').write_text('version = \"the new one\"\\n')\n"
        "pathlib.Path(sys.argv[1], 'wares-2.dist-info').mkdir()\n"
        "ask()\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(site)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "'old'\n'the new one'\n"


def test_an_interpreter_whose_ipykernel_is_broken_says_so(tmp_path):
    """The fork server cannot begin, and neither can a kernel: the error is the kernel's own."""
    (tmp_path / "ipykernel").mkdir()
    (tmp_path / "ipykernel" / "__init__.py").write_text("raise RuntimeError('ipykernel is broken here')")
    program = "import cellblock\nwith cellblock.Session(timeout=60) as session: session.start()"
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert KernelStartError.__name__ in said.stderr
    assert "ipykernel is broken here" in said.stderr


# Ends


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import os; os._exit(7)", "exited with code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9 (SIGKILL)"),
        ("import ctypes; ctypes.string_at(0)", "signal 11 (SIGSEGV)"),
    ],
)
def test_how_a_kernel_ended_is_reported(code, cause):
    with session_on(ForkLauncher()) as session:
        result = session.run(code)
        assert result.status is CellStatus.DIED
        assert cause in result.cause
        assert is_forked(session)


def test_a_dead_kernel_takes_what_it_started_along():
    with session_on(ForkLauncher()) as session:
        child = int(session.run("import subprocess; child = subprocess.Popen(['sleep', '1000']); child.pid").text)
        kernel = int(session.run("import os; os.getpid()").text)
        session.run("import os; os._exit(0)")
        wait_until_gone([child, kernel])


def test_a_dead_kernel_leaves_no_zombie():
    with session_on(ForkLauncher()) as session:
        session.run("import os; os._exit(0)")
        session.start()
    until = time.monotonic() + 5
    while any(p.status() == psutil.STATUS_ZOMBIE for p in psutil.Process(fork_server().pid).children()):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_kernels_outlive_their_fork_server_and_the_next_has_another():
    """Its end loses no state; only with what code a kernel ends is then not known."""
    with session_on(ForkLauncher()) as session:
        session.run("kept = 'kept'")
        server = fork_server()
        os.kill(server.pid, signal.SIGKILL)
        wait_until_gone([server.pid])
        assert session.run("kept").text == "'kept'"
        with session_on(ForkLauncher()) as other:
            assert is_forked(other)
            assert other.run("import os; os.getppid()").text == str(fork_server().pid) != str(server.pid)
        result = session.run("import os; os._exit(3)")
        assert result.status is CellStatus.DIED
        assert "what exit code is not known" in result.cause
        assert session.run("1 + 1").text == "2"


@pytest.mark.parametrize("arguments", [["forked"], ["forked", "CHILD"], ["pool"], ["pool", "CHILD"]], ids=" ".join)
def test_nothing_outlives_an_owner_that_is_killed(arguments):
    """Neither kernels, nor what they started, nor spares, nor the fork server; not even when a child of the owner lives on."""
    with subprocess.Popen(
        [sys.executable, str(OWNER), *arguments], stdout=subprocess.PIPE, start_new_session=True
    ) as owner:
        processes = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(processes) >= 3
        owner.kill()
        try:
            wait_until_gone(processes, within=2.0)
        finally:
            os.killpg(owner.pid, signal.SIGKILL)
        owner.stdout.close()


def test_an_owner_that_exits_leaves_nothing():
    program = (
        "import logging; logging.getLogger('asyncio').setLevel('ERROR')  # which would tell of slow steps\n"
        "import psutil, cellblock; session = cellblock.Session(); session.run('1')\n"
        "print(*[p.pid for p in psutil.Process().children(recursive=True)])"
    )
    said = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=True)
    assert said.stderr == ""
    processes = [int(pid) for pid in said.stdout.split()]
    assert len(processes) == 2
    wait_until_gone(processes)


def test_a_forked_child_of_the_owner_makes_its_own():
    """multiprocessing's workers, say: they must neither use nor end what is their parent's."""
    program = (
        "import os, cellblock\n"
        "session = cellblock.Session(timeout=60); session.run('kept = 1')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    with cellblock.Session(timeout=60) as own: print(own.run('6 * 7').text, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(session.run('kept').text)\n"
        "session.close()\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "42\n1\n"


@pytest.mark.anyio
async def test_many_start_at_once():
    """More than a server has room for in its queue of requests."""

    async def one(number):
        async with AsyncSession(LocalKernel(launcher=ForkLauncher()), timeout=100) as session:
            return (await session.run(f"{number} * 2")).text

    assert await asyncio.gather(*map(one, range(16))) == [str(2 * number) for number in range(16)]


@pytest.mark.anyio
async def test_a_start_that_is_cancelled_leaves_nothing():
    """At whatever moment: the guard of all tests looks for what is left."""
    for delay in (0.0, 0.001, 0.003, 0.01, 0.03):
        session = AsyncSession(LocalKernel(launcher=ForkLauncher()), timeout=60)
        starting = asyncio.ensure_future(session.start())
        await asyncio.sleep(delay)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await session.close()
