"""What goes wrong around an executor on a server: its disk, its server, its network."""

from __future__ import annotations

import asyncio
import base64
import threading
import time

import psutil
import pytest

from cellblock import CodeBlock, JupyterCodeExecutor
from cellblock._core.results import CellStatus
from cellblock.errors import ConnectError
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.local import LocalJupyterServer
from cellblock.session import AsyncSession
from servers.fault_proxy import FaultProxy
from test_spool import disk_full_after


@pytest.fixture(scope="module")
def server():
    with LocalJupyterServer(pool=0) as server:
        yield server


def run(executor, code):
    return executor.execute_code_blocks([CodeBlock(code=code, language="python")])


def test_a_full_disk_costs_the_files_and_nothing_else(server, tmp_path):
    picture = base64.b64encode(b"x" * 100_000).decode()
    with JupyterCodeExecutor(server, output_dir=tmp_path) as executor:
        with disk_full_after(10_000):
            result = run(executor, f"x = 1\nprint('y' * 100_000)\ndisplay({{'image/png': {picture!r}}}, raw=True)")
        assert result.exit_code == 0
        assert "File too large" in result.output
        assert result.output_files == []
        assert list(tmp_path.iterdir()) == []
        assert run(executor, "print(x)").output == "1\n"


@pytest.mark.anyio
async def test_a_kernel_that_its_server_does_not_hear_any_more_is_replaced(server):
    """Frames that are no message end Jupyter Server's reading of what the kernel publishes."""
    nonsense = (
        "from ipykernel.kernelapp import IPKernelApp\nIPKernelApp.instance().kernel.iopub_socket.send_multipart([b''])"
    )
    async with AsyncSession(RemoteKernel(server.connection_info), timeout=60) as session:
        result = await session.run(nonsense)
        assert result.status is CellStatus.DIED
        assert "what it shows does not arrive any more" in result.text
        assert result.duration < 20
        assert (await session.run("6 * 7")).text == "42"


def test_a_server_killed_under_a_cell_ends_it_and_every_later_call(tmp_path):
    began = threading.Event()
    with (
        LocalJupyterServer() as server,
        JupyterCodeExecutor(server, output_dir=tmp_path, on_output=lambda _: began.set()) as executor,
    ):

        def kill():
            began.wait()
            psutil.Process(server._process.pid).kill()

        killer = threading.Thread(target=kill)
        killer.start()
        started = time.monotonic()
        result = run(executor, "import time\nprint('began', flush=True)\ntime.sleep(1000)")
        killer.join()
        assert time.monotonic() - started < 10
        assert result.exit_code == 137
        assert result.output.startswith("began\n")
        for _ in range(2):
            with pytest.raises(ConnectError, match="nothing listens there"):
                run(executor, "1")


@pytest.mark.anyio
async def test_a_network_that_falls_silent_under_a_cell_does_not_hold_the_call(server):
    async with (
        FaultProxy(server.connection_info) as proxy,
        AsyncSession(RemoteKernel(proxy.info, start_timeout=5)) as session,
    ):
        began = asyncio.Event()
        code = "import time\nprint('began', flush=True)\ntime.sleep(1000)"
        call = asyncio.create_task(session.run(code, timeout=1, on_output=lambda _: began.set()))
        await began.wait()
        proxy.silence()
        async with asyncio.timeout(20):
            result = await call
        assert result.status is CellStatus.TIMEOUT
        assert result.text.startswith("began\n")
        proxy.resume()
        again = await session.run("print('again')", timeout=30)  # what ran on has been interrupted by then
        assert again.outputs[0].text == "again\n"
        assert again.state_kept
