"""A server that is there and says nothing: frozen, paused, or behind a network that is down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from cellblock import JupyterCodeExecutor
from cellblock.coding.jupyter import executor
from cellblock.errors import KernelStartError
from cellblock.kernels.remote import RemoteKernel
from cellblock.session import AsyncSession
from servers.fault_proxy import FaultProxy
from servers.stock import stock_server

OPEN_AT_THE_END = """
import os, signal, sys
from cellblock import JupyterCodeExecutor
from cellblock.coding.jupyter import JupyterConnectionInfo

url, token, pid = sys.argv[1:]
executors = [JupyterCodeExecutor(JupyterConnectionInfo.from_url(url, token=token)) for _ in range(3)]
os.kill(int(pid), signal.SIGSTOP)
"""


@pytest.mark.anyio
async def test_stopping_is_bounded_and_names_the_kernel_it_left(jupyter_server, caplog):
    async with FaultProxy(jupyter_server.info) as proxy:
        session = AsyncSession(RemoteKernel(proxy.info))
        await session.run("1")
        kernel_id = session.kernel.kernel_id
        proxy.silence()
        began = time.monotonic()
        await session.close()
        assert time.monotonic() - began < 12
        assert f"Kernel {kernel_id} was to be stopped, but the server at {proxy.info.url} did not answer" in caplog.text
        proxy.resume()


def test_the_end_of_the_interpreter_is_bounded_however_many_are_open(tmp_path):
    with stock_server(tmp_path) as server:
        arguments = (server.info.url, server.info.token, str(server.process.pid))
        began = time.monotonic()
        try:
            ended = subprocess.run(
                [sys.executable, "-c", OPEN_AT_THE_END, *arguments], capture_output=True, text=True, timeout=60
            )
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        assert time.monotonic() - began < 40  # of which the start of three kernels takes some
        assert ended.returncode == 0
        assert ended.stderr.count("was to be stopped, but the server") == 3


def test_an_executor_that_cannot_start_in_time_names_the_server(tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "_START_WITHIN", 1)
    with stock_server(tmp_path) as server:
        os.kill(server.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(KernelStartError) as caught:
                JupyterCodeExecutor(server.info, timeout=1)
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        assert time.monotonic() - began < 20
        assert str(caught.value) == (
            f"The kernel python3 on the server at {server.info.url} was not ready within 1 s. "
            "The server may not answer: see that it runs, and try again."
        )
