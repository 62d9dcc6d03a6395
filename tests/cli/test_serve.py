"""`cellblock serve`, run as a user runs it."""

from __future__ import annotations

import contextlib
import signal
import subprocess

import psutil
import pytest

from cellblock import Session
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.connection_info import JupyterConnectionInfo


@contextlib.contextmanager
def serving(cellblock, *options):
    process = subprocess.Popen(
        cellblock.command("serve", *options),
        cwd=cellblock.folder,
        env=cellblock.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()


def test_it_prints_its_url_and_serves_until_it_is_told_to_stop(cellblock):
    for told in (signal.SIGINT, signal.SIGTERM):
        with serving(cellblock) as (process, url):
            with Session(RemoteKernel(JupyterConnectionInfo.from_url(url))) as session:
                assert session.run("import os; print(os.getcwd())").text == f"{cellblock.folder}\n"
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(told)
            assert process.wait(20) == 0
            assert psutil.wait_procs(children, timeout=5)[1] == []
    assert list(cellblock.folder.iterdir()) == []


def test_a_token_of_ones_own_comes_from_a_file(cellblock):
    file = cellblock.write("token", "my-token\n")
    with serving(cellblock, "--token-file", file) as (process, url):
        assert url.endswith("/?token=my-token")
        commands = [" ".join(p.cmdline()) for p in psutil.Process(process.pid).children(recursive=True)]
        assert commands
        assert [line for line in commands if "my-token" in line] == []


def test_a_server_that_ends_by_itself_is_said_and_its_log_shown(cellblock):
    with serving(cellblock) as (process, url):
        assert url
        psutil.Process(process.pid).children()[0].kill()
        _, stderr = process.communicate(timeout=20)
        assert process.returncode == 1
        assert "The server ended by itself" in stderr


@pytest.mark.parametrize("text", ["", "two words", "two\nlines"])
def test_a_token_file_without_a_token(cellblock, text):
    file = cellblock.write("token", text)
    with serving(cellblock, "--token-file", file) as (process, url):
        assert url == ""
        assert "--token-file must be a file with the token and nothing else" in process.communicate(timeout=20)[1]
