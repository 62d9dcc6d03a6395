"""`cellblock kernels`, run as a user runs it, against a server with kernels of ours and of others."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from cellblock import Session
from cellblock._core.kernel_ids import as_word
from cellblock.cli.kernels_command import _Kernel
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.local import LocalJupyterServer


@pytest.fixture(scope="module")
def server():
    with LocalJupyterServer(pool=0) as server:
        yield server


@pytest.fixture
def kernels(server, cellblock):
    """Runs the command against the server, the token in the environment."""

    def run(*arguments, text_in=""):
        environment = cellblock.environment(CELLBLOCK_SERVER=server.connection_info.url, JUPYTER_TOKEN=server.token)
        return subprocess.run(
            cellblock.command("kernels", *arguments),
            input=text_in,
            cwd=cellblock.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_kernels_are_listed_with_their_owners(server, kernels):
    client = server.get_client()
    foreign = client.start_kernel("python3", kernel_id="2b2b2b2b-0000-4000-8000-00000000000a")
    with Session(RemoteKernel(server.connection_info, label="analysis")) as session:
        session.run("1")
        listed = json.loads(kernels("list", "--json").stdout)
        assert {kernel["id"] for kernel in listed} == {foreign, session.kernel.kernel_id}
        ours = next(kernel for kernel in listed if kernel["id"] != foreign)
        assert (ours["owner"]["label"], ours["clients"], ours["orphaned"]) == ("analysis", 1, False)
        shown = kernels("list").stdout
        assert "analysis" in shown
        assert "just now" in shown
    client.delete_kernel(foreign)
    assert kernels("list").stdout == "No kernel runs there.\n"


def test_cells_run_in_a_kernel_that_goes_on(server, kernels):
    with Session(RemoteKernel(server.connection_info)) as session:
        session.run("x = 41")
        kernel_id = session.kernel.kernel_id
        attached = kernels("attach", kernel_id, "-c", "x += 1; print(x)")
        assert (attached.returncode, attached.stdout) == (0, "42\n")
        assert kernels("attach", kernel_id[:-5], text_in="print(x)\nprint(x)\n").stdout == "42\n42\n"
        failed = kernels("attach", kernel_id, "-c", "print('before'); 1/0")
        assert (failed.returncode, failed.stdout) == (1, "before\n")
        assert failed.stderr.endswith("ZeroDivisionError: division by zero\n")
        assert kernels("attach", kernel_id, "-c", "print('no end', end='')").stdout == "no end\n"
        assert session.run("print(x)").text == "42\n"


def test_what_a_cell_shows_is_printed_as_it_comes_and_kept_on_ctrl_c(server, cellblock):
    with Session(RemoteKernel(server.connection_info)) as session:
        session.run("1")
        command = (
            "attach",
            session.kernel.kernel_id,
            "-c",
            "print('working')\nprint('half', end='')\nwhile True: pass",
        )
        with subprocess.Popen(
            cellblock.command("kernels", *command),
            env=cellblock.environment(CELLBLOCK_SERVER=server.connection_info.url, JUPYTER_TOKEN=server.token),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout.readline() == "working\n"
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert output == "half\n"
        assert "KeyboardInterrupt" in errors
        assert 'File "' not in errors  # the cell's traceback, and none of ours
        assert session.run("print('alive')").text == "alive\n"


def test_kernels_are_stopped_by_id_and_by_label(server, kernels):
    client = server.get_client()
    first = client.start_kernel("python3", kernel_id="2b2b2b2b-0000-4000-8000-00000000000a")
    assert kernels("stop", first[:8]).stdout == f"Stopped {first}\n"
    with Session(RemoteKernel(server.connection_info, label="my run")) as session:
        session.run("1")
        kernel_id = session.kernel.kernel_id
        assert kernels("stop", "--label", "my run").stdout == f"Stopped {kernel_id}\n"
        assert client.list_kernels() == []
    nothing = kernels("stop", "--orphaned")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "There was none to stop.\n")


@pytest.mark.parametrize(
    ("idle_for", "clients", "kernel_id", "orphaned"),
    [
        (120, 0, "cellblock-_-host-1-ab", True),
        (120, 1, "cellblock-_-host-1-ab", False),
        (5, 0, "cellblock-_-host-1-ab", False),
        (120, 0, "2b2b2b2b-0000-4000-8000-00000000000a", False),
    ],
)
def test_orphaned_is_what_we_started_and_nobody_has_used_for_a_while(idle_for, clients, kernel_id, orphaned):
    assert kernel_that_was_used(idle_for, clients, kernel_id).orphaned is orphaned


def test_what_a_process_of_this_machine_started_that_is_gone_is_orphaned_at_once():
    here = as_word(socket.gethostname())
    for pid, orphaned in ((ended_process(), True), (os.getpid(), False), (10**20, True)):
        assert kernel_that_was_used(0, 0, f"cellblock-_-{here}-{pid}-ab").orphaned is orphaned
    assert kernel_that_was_used(0, 0, f"cellblock-_-elsewhere-{ended_process()}-ab").orphaned is False
    assert kernel_that_was_used(0, 1, f"cellblock-_-{here}-{ended_process()}-ab").orphaned is False


def test_orphans_are_stopped_at_once_if_that_is_safe_and_otherwise_later(server, kernels):
    client = server.get_client()
    here = as_word(socket.gethostname())
    gone = client.start_kernel("python3", kernel_id=f"cellblock-_-{here}-{ended_process()}-ab")
    perhaps = client.start_kernel("python3", kernel_id="cellblock-_-elsewhere-1-ab")
    later = (
        "1 kernel without a client was used within the last minute and may be starting: try again later, "
        "or name what to stop.\n"
    )
    done = kernels("stop", "--orphaned")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Stopped {gone}\n", later)
    done = kernels("stop", "--orphaned")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", later)
    client.delete_kernel(perhaps)


def test_an_id_is_never_folded(server, kernels):
    client = server.get_client()
    long = client.start_kernel("python3", kernel_id=f"cellblock-{'l' * 40}-{'h' * 40}-4194304-{'0' * 32}")
    assert f"{long}  " in kernels("list").stdout
    client.delete_kernel(long)


def ended_process():
    """The id of a process that was, and is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def kernel_that_was_used(idle_for, clients, kernel_id):
    active = (datetime.now(UTC) - timedelta(seconds=idle_for)).isoformat().replace("+00:00", "Z")
    model = {
        "id": kernel_id,
        "name": "python3",
        "execution_state": "idle",
        "connections": clients,
        "last_activity": active,
    }
    return _Kernel.of(model)


def test_an_id_that_fits_none_and_one_that_fits_several(server, kernels):
    assert "no kernel whose id begins with 'zz'" in kernels("stop", "zz").stderr
    client = server.get_client()
    started = [client.start_kernel("python3", kernel_id=f"2b2b2b2b-0000-4000-8000-00000000000{n}") for n in "ab"]
    assert "more than one kernel whose id begins with '2b2b'" in kernels("attach", "2b2b", "-c", "1").stderr
    assert "Say which kernels to stop" in kernels("stop").stderr
    for kernel_id in started:
        client.delete_kernel(kernel_id)
