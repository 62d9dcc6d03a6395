"""The local server: what it takes, what it keeps to itself, and that it ends with everything it started."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from cellblock import CodeBlock, JupyterCodeExecutor, Session
from cellblock._core.results import CellStatus
from cellblock._core.server_api import ApiCall
from cellblock.background import background_loop
from cellblock.errors import AuthError, ConfigError, RemoteProtocolError, ServerStartError
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.connection_info import JupyterConnectable, JupyterConnectionInfo
from cellblock.servers.local import LocalJupyterServer
from cellblock.transports.rest import AsyncJupyterClient, JupyterClient

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="module")
def server():
    with LocalJupyterServer(pool=0) as server:
        yield server


@pytest.fixture
def session(server):
    with Session(RemoteKernel(server.connection_info)) as session:
        yield session


def printed(result):
    return "".join(output.text for output in result.outputs if output.name == "stdout")


def offspring():
    return {child.pid for child in psutil.Process().children(recursive=True)}


def ended(pids, within=5.0):
    """Waits until none of the processes is there, and gives those that still are."""
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, left = psutil.wait_procs(processes, timeout=within)
    return [p for p in left if p.status() != psutil.STATUS_ZOMBIE]


def test_it_is_what_an_executor_takes(server):
    assert isinstance(server, JupyterConnectable)
    assert server.connection_info == JupyterConnectionInfo("127.0.0.1", False, server.port, server.token)
    assert len(server.token) == 64
    assert server.get_client().list_kernels() == []


def test_a_cell_runs_in_the_current_directory(session):
    assert printed(session.run("import os; print(os.getcwd())")) == f"{Path.cwd()}\n"


def test_the_token_is_wanted(server):
    with pytest.raises(AuthError):
        JupyterClient(JupyterConnectionInfo("127.0.0.1", False, server.port, "other")).list_kernels()


def test_the_token_shows_nowhere(server, session):
    session.run("1")
    commands = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert [line for line in commands if server.token in line] == []
    environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in offspring()]
    assert [text for text in environments if server.token.encode() in text] == []
    assert printed(session.run("import os; print(sorted(k for k in os.environ if 'TOKEN' in k))")) == "[]\n"
    assert server.token not in server.log_file.read_text()
    folder = server.log_file.parent
    assert [f for f in folder.rglob("*") if f.is_file() and server.token.encode() in f.read_bytes()] == []


def test_the_most_talkative_log_does_not_have_it():
    with LocalJupyterServer(log_level="DEBUG") as server:
        assert len(server.get_client().list_kernel_specs()["kernelspecs"]) >= 1
        logged = server.log_file.read_text()
    assert "Config changed" in logged
    assert server.token not in logged


def test_others_of_this_machine_cannot_read_what_kernels_say(server, session):
    session.run("1")
    folder = server.log_file.parent
    assert folder.stat().st_mode & 0o077 == 0
    files = [json.loads(file.read_text()) for file in folder.glob("kernel-*.json")]
    assert [(file["transport"], Path(file["ip"]).parent) for file in files] == [("ipc", folder)]


def test_no_terminals(server):
    client = AsyncJupyterClient(server.connection_info, keep_connections=False)
    call = ApiCall("POST", "/api/terminals", "open a terminal", str, body={})
    with pytest.raises(RemoteProtocolError):
        background_loop().call(client.call(call))


def test_autogens_parameters(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    log_file = tmp_path / "asked.log"
    with LocalJupyterServer("127.0.0.1", port, "chosen-token", str(log_file), "DEBUG", 5_000, 2) as server:
        assert (server.ip, server.port, server.token) == ("127.0.0.1", port, "chosen-token")
        for _ in range(3):
            with Session(RemoteKernel(server.connection_info)) as session:
                session.run("1")
    logs = sorted(tmp_path.glob("asked.log*"))
    assert [log.name for log in logs] == ["asked.log", "asked.log.1", "asked.log.2"]
    assert all(log.stat().st_size <= 5_000 for log in logs)


def test_every_level_of_pythons_is_one():
    with LocalJupyterServer(log_level="WARNING") as server, Session(RemoteKernel(server.connection_info)) as session:
        assert session.run("print(1)").text == "1\n"
        assert " INFO " not in server.log_file.read_text()


@pytest.mark.parametrize("token", ["", None])
def test_no_authentication(token):
    with LocalJupyterServer(token=token) as server:
        assert server.get_client().list_kernels() == []
        with Session(RemoteKernel(server.connection_info)) as session:
            assert session.run("print(1)").text == "1\n"


def test_ipv6():
    with LocalJupyterServer("::1") as server, Session(RemoteKernel(server.connection_info)) as session:
        assert session.run("print(1)").text == "1\n"


def test_another_root(tmp_path):
    with LocalJupyterServer(root_dir=tmp_path) as server, Session(RemoteKernel(server.connection_info)) as session:
        session.run("open('made', 'w').close()")
    assert [file.name for file in tmp_path.iterdir()] == ["made"]


def test_nothing_is_left_where_the_caller_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with LocalJupyterServer() as server, Session(RemoteKernel(server.connection_info)) as session:
        session.run("1")
        folder = server.log_file.parent
    assert list(tmp_path.iterdir()) == []
    assert not folder.exists()


def test_a_folder_for_temporary_files_with_a_long_path(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 80)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with LocalJupyterServer() as server, Session(RemoteKernel(server.connection_info)) as session:
        assert session.run("print(1)").text == "1\n"
    assert list(deep.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"port": 70000}, "port must be a number from 0 to 65535"),
        ({"log_level": "LOUD"}, "log_level must be one of Python's"),
        ({"root_dir": "/no/such/folder"}, "root_dir must be an existing directory"),
        ({"log_file": "/no/such/folder/a.log"}, "log_file must be a file that can be written, and .* No such file"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, words):
    with pytest.raises(ConfigError, match=words):
        LocalJupyterServer(**arguments)


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        words = f"failed to start.\nThe server cannot listen on 127.0.0.1 port {port}: Address already in use."
        with pytest.raises(ServerStartError, match=words):
            LocalJupyterServer(port=port)


def test_a_start_that_takes_too_long():
    with pytest.raises(ServerStartError, match=r"It did not answer within 0\.01 s\."):
        LocalJupyterServer(start_timeout=0.01)


def test_small_frames_do_not_wait_for_acknowledgements(server, session):
    session.run("1")
    connections = psutil.Process(server._process.pid).net_connections("tcp")
    ours = [c for c in connections if c.status == psutil.CONN_ESTABLISHED and c.laddr.port == server.port]
    assert any(_sends_at_once(server._process.pid, connection.fd) for connection in ours)


def _sends_at_once(pid, descriptor):
    """Whether Nagle's algorithm is off on a socket of another process. Source: pidfd_getfd(2)."""
    pidfd = os.pidfd_open(pid)
    copy = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, descriptor, 0)
    os.close(pidfd)
    assert copy >= 0, os.strerror(ctypes.get_errno())
    with socket.socket(fileno=copy) as connection:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_flood_arrives_whole(session):
    assert len(printed(session.run("print('x' * 20_000_000)"))) == 20_000_001
    result = session.run("for i in range(20_000): print(i, flush=i % 10 == 0)")
    assert printed(result) == "".join(f"{i}\n" for i in range(20_000))
    assert result.incomplete == ""


def test_what_kernels_write_to_the_servers_own_streams_blocks_nobody(server, session):
    code = (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import os; os.write(2, b\"x\" * 3_000_000)'])"
    )
    assert session.run(code).ok
    assert session.run("print(1)").text == "1\n"
    assert server.log_file.stat().st_size <= 1048576


def test_a_death_is_noticed_at_once(session):
    session.run("x = 1")
    result = session.run("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert (result.status, result.state_kept) == (CellStatus.DIED, False)
    assert result.duration < 2
    assert printed(session.run("print('x' in globals())")) == "False\n"


def test_a_timeout_and_a_cell_that_will_not_stop(session):
    session.run("x = 1")
    result = session.run("import time; time.sleep(60)", timeout=0.5)
    assert (result.status, result.state_kept) == (CellStatus.TIMEOUT, True)
    result = session.run("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)", timeout=0.5)
    assert (result.status, result.state_kept) == (CellStatus.TIMEOUT, False)
    assert session.run("print('again')").ok


def test_fifty_executors_opened_and_closed(server, tmp_path):
    def opened(number):
        executor = JupyterCodeExecutor(server, output_dir=tmp_path)
        assert ran(executor, f"number = {number}").exit_code == 0
        return executor

    def ran(executor, code):
        return executor.execute_code_blocks([CodeBlock(language="python", code=code)])

    with ThreadPoolExecutor(6) as threads:
        executors = list(threads.map(opened, range(50)))
        said = list(threads.map(lambda executor: ran(executor, "print(number)").output, executors))
        list(threads.map(JupyterCodeExecutor.stop, executors))
    assert said == [f"{number}\n" for number in range(50)]
    assert JupyterClient(server.connection_info).list_kernels() == []


def test_nothing_is_kept_of_kernels_that_ended(server):
    def one_kernel():
        with Session(RemoteKernel(server.connection_info)) as session:
            session.run("1")
        return len(list(Path(f"/proc/{server._process.pid}/fd").iterdir()))

    before = max(one_kernel() for _ in range(3))
    assert min(one_kernel() for _ in range(10)) <= before


def test_a_client_that_comes_late_is_heard_at_once(server, session):
    session.run("x = 1")
    for _ in range(5):
        with Session(RemoteKernel(server.connection_info, kernel_id=session.kernel.kernel_id)) as late:
            assert late.run("print(x)", timeout=10).text == "1\n"


def test_stop_ends_everything_and_may_be_repeated():
    before = offspring()
    server = LocalJupyterServer()
    with Session(RemoteKernel(server.connection_info)) as session:
        session.run(
            "import signal, subprocess\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nsubprocess.Popen(['sleep', '100'])"
        )
        started = offspring() - before
        begin = time.monotonic()
        server.stop()
        server.stop()
        assert time.monotonic() - begin < 4
    assert ended(started) == []


def test_a_server_that_is_dropped_is_stopped():
    before = offspring()
    server = LocalJupyterServer()
    started = offspring() - before
    del server
    gc.collect()
    assert ended(started) == []


def test_a_forked_process_does_not_keep_it_alive():
    server = LocalJupyterServer()
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 4
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_kernels_end_when_the_server_is_killed(tmp_path):
    before = offspring()
    with LocalJupyterServer(root_dir=tmp_path) as server:
        session = Session(RemoteKernel(server.connection_info))
        session.run("import subprocess; subprocess.Popen(['sleep', '100'])")
        started = offspring() - before
        serving = next(p for p in map(psutil.Process, started) if "local_server_main" in " ".join(p.cmdline()))
        serving.kill()
        assert ended(started) == []
        session.close()


OWNER = """
    import sys, time
    import psutil
    from cellblock import Session
    from cellblock.kernels.remote import RemoteKernel
    from cellblock.servers.local import LocalJupyterServer

    server = LocalJupyterServer()
    session = Session(RemoteKernel(server.connection_info))
    session.run("import subprocess; subprocess.Popen(['sleep', '100'])")
    children = psutil.Process().children(recursive=True)
    print(server.log_file.parent, *(child.pid for child in children), flush=True)
    {last}
"""


@pytest.mark.parametrize("last", ["time.sleep(100)", "sys.exit()", "raise RuntimeError", "import os; os._exit(1)"])
def test_it_ends_with_its_owner_however_that_ends(last):
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER).format(last=last)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    with owner:
        folder, *started = owner.stdout.readline().split()
        assert len(started) >= 3  # server, kernel, sleep
        if "sleep" in last:
            owner.kill()
        owner.wait(20)
    assert ended(map(int, started)) == []
    assert not Path(folder).exists()
