"""A local server's own pool: its kernels wait in it, unused, each for one client, and end with it."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from cellblock import Session
from cellblock.errors import ConfigError
from cellblock.kernels.remote import RemoteKernel
from cellblock.kernels.sandbox.options import Sandbox
from cellblock.servers.local import LocalJupyterServer


def kernels():
    """The processes that servers of this process have forked."""
    servers = (p for p in psutil.Process().children(recursive=True) if p.ppid() != os.getpid())
    return [kernel for p in servers if p.name() == "cellblock-forks" for kernel in p.children()]


def until(condition, within=10.0):
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def session_on(server):
    return Session(RemoteKernel(server.connection_info), timeout=60)


def pid(session):
    return int(session.run("import os; os.getpid()").text)


def test_clients_get_kernels_that_waited_and_others_take_their_places():
    with LocalJupyterServer(pool=2) as server:
        until(lambda: len(kernels()) == 2)
        waiting = {process.pid for process in kernels()}
        with session_on(server) as one, session_on(server) as two:
            assert {pid(one), pid(two)} == waiting
            until(lambda: len(kernels()) == 4)
        until(lambda: len(kernels()) == 2)
        assert waiting.isdisjoint(process.pid for process in kernels())


@pytest.mark.parametrize(("arguments", "kept"), [({}, 1), ({"pool": 0}, 0), ({"sandbox": Sandbox()}, 0)])
def test_one_waits_unless_told_otherwise(arguments, kept):
    with LocalJupyterServer(**arguments) as server:
        with session_on(server) as session:
            assert session.run("6 * 7").text == "42"
        until(lambda: len(kernels()) == kept)


def test_a_restart_takes_another_unused():
    with LocalJupyterServer(pool=1) as server, session_on(server) as session:
        before = pid(session)
        until(lambda: len(kernels()) == 2)
        session.run("kept = 1")
        session.restart()
        assert session.run("'kept' in globals()").text == "False"
        assert pid(session) != before


def test_a_kernel_that_waited_is_where_a_server_starts_kernels(tmp_path):
    with LocalJupyterServer(pool=1, root_dir=tmp_path) as server:
        until(lambda: len(kernels()) == 1)
        with session_on(server) as session:
            assert pid(session)
            assert session.run("os.getcwd()").text == repr(str(tmp_path))
            parent = int(session.run("os.environ['JPY_PARENT_PID']").text.strip("'"))
            assert "local_server_main" in " ".join(psutil.Process(parent).cmdline())


def test_packages_are_there_already():
    """With kernels that waited and without."""
    for size in (0, 1):
        with LocalJupyterServer(pool=size, preload=["numpy"]) as server, session_on(server) as session:
            assert session.run("import sys; 'numpy' in sys.modules").text == "True"


def test_a_spare_that_died_is_passed_over():
    with LocalJupyterServer(pool=1) as server:
        until(lambda: len(kernels()) == 1)
        (waiting,) = kernels()
        waiting.kill()
        until(lambda: not waiting.is_running() or waiting.status() == psutil.STATUS_ZOMBIE)
        with session_on(server) as session:
            assert session.run("6 * 7").text == "42"


def test_a_package_that_must_not_be_preloaded_is_refused():
    with pytest.raises(ConfigError, match="The packages cannot be preloaded: no_such_package cannot be imported"):
        LocalJupyterServer(preload=["no_such_package"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pool": -1}, "The size of a pool must be a number of kernels"),
        ({"preload": "numpy"}, r"preload must be a list of names, as in \['numpy'\]"),
    ],
)
def test_arguments_that_are_none(arguments, words):
    with pytest.raises(ConfigError, match=words):
        LocalJupyterServer(**arguments)


def test_nothing_outlives_a_server_that_is_killed():
    with LocalJupyterServer(pool=2) as server:
        until(lambda: len(kernels()) == 2)
        left = kernels()
        (serving,) = (p for p in psutil.Process().children() if "local_server_main" in " ".join(p.cmdline()))
        serving.kill()
        server.wait()
        _, alive = psutil.wait_procs(left, timeout=5)
        assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
