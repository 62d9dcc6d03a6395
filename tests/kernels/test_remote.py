"""A kernel on a server: its life, its deaths, and sessions on it while things fail."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket

import psutil
import pytest

from cellblock import CodeBlock, JupyterCodeExecutor
from cellblock._core.kernel_ids import kernel_owner
from cellblock._core.outputs import DisplayOutput
from cellblock._core.results import CellStatus
from cellblock.errors import AuthError, ConnectError, KernelSpecNotFound, KernelStartError, RemoteProtocolError
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.connection_info import JupyterConnectionInfo
from cellblock.session import AsyncSession
from cellblock.transports.rest import AsyncJupyterClient, JupyterClient
from cellblock.transports.websocket import WebSocketTransport
from servers.fault_proxy import FaultProxy
from servers.stock import kill_group, stock_gateway, stock_server

pytestmark = pytest.mark.anyio


def printed(result):
    """What the cell itself wrote; stock kernels complain at their start, which is shown as late."""
    return "".join(output.text for output in result.outputs if output.name == "stdout")


@contextlib.asynccontextmanager
async def a_kernel(*args, **options):
    kernel = RemoteKernel(*args, **options)
    try:
        yield kernel
    finally:
        await kernel.stop()


async def refused(kind, words, *args, **options):
    """Asserts that a kernel cannot be started, and how that is said."""
    async with a_kernel(*args, **options) as kernel:
        with pytest.raises(kind, match=words):
            await kernel.start()


async def kernel_ids(info):
    async with AsyncJupyterClient(info) as client:
        return {model["id"] for model in await client.list_kernels()}


async def test_a_session_keeps_its_state_and_leaves_no_kernel(any_server):
    before = await kernel_ids(any_server.info)
    async with AsyncSession(RemoteKernel(any_server.info)) as session:
        assert (await session.run("x = 6")).ok
        assert (await session.run("print(x * 7)")).text == "42\n"
        assert len(await kernel_ids(any_server.info) - before) == 1
    assert await kernel_ids(any_server.info) == before


async def test_the_id_names_its_owner(jupyter_server):
    async with a_kernel(jupyter_server.info, label="my analysis") as kernel:
        await kernel.start()
        owner = kernel_owner(kernel.kernel_id)
        assert (owner.label, owner.pid) == ("my_analysis", os.getpid())


def test_an_executors_kernel_has_a_label_and_a_folder(jupyter_server):
    (jupyter_server.root / "work").mkdir(exist_ok=True)
    with JupyterCodeExecutor(jupyter_server.info, label="analysis", path="work") as executor:
        assert kernel_owner(executor.session.kernel.kernel_id).label == "analysis"
        result = executor.execute_code_blocks([CodeBlock(code="import os; print(os.getcwd())", language="python")])
        assert result.output.endswith("/work\n")


async def test_two_sessions_on_one_server_do_not_share_anything(jupyter_server):
    info = jupyter_server.info
    async with AsyncSession(RemoteKernel(info)) as one, AsyncSession(RemoteKernel(info)) as other:
        await asyncio.gather(one.run("x = 1"), other.run("x = 2"))
        assert (await one.run("print(x)")).text == "1\n"
        await one.close()
        assert (await other.run("print(x)")).text == "2\n"


async def test_a_second_client_goes_on_with_the_state_and_leaves_the_kernel_running(any_server):
    info = any_server.info
    async with AsyncSession(RemoteKernel(info)) as first:
        await first.run("x = 41")
        async with AsyncSession(RemoteKernel(info, kernel_id=first.kernel.kernel_id)) as second:
            assert (await second.run("x += 1; print(x)")).text == "42\n"
            assert second.kernel.language == "python"
        assert (await first.run("print(x)")).text == "42\n"


async def test_a_gateway_that_lists_no_kernels_runs_them_all_the_same(tmp_path):
    with stock_gateway(tmp_path, lists_kernels=False) as gateway:
        async with AsyncSession(RemoteKernel(gateway.info)) as session:
            await session.run("x = 41")
            async with AsyncSession(RemoteKernel(gateway.info, kernel_id=session.kernel.kernel_id)) as second:
                assert (await second.run("print(x + 1)")).text == "42\n"
        async with AsyncJupyterClient(gateway.info) as client:
            with pytest.raises(AuthError, match=r"only if started with .*list_kernels=true"):
                await client.list_kernels()


async def test_attaching_to_a_kernel_that_is_not_there(any_server):
    nobody = "00000000-0000-4000-8000-000000000000"
    await refused(KernelStartError, "has no kernel of that id", any_server.info, kernel_id=nobody)


async def test_a_timeout_interrupts_and_keeps_the_state(any_server):
    async with AsyncSession(RemoteKernel(any_server.info)) as session:
        await session.run("x = 1")
        result = await session.run("import time\ntime.sleep(60)", timeout=0.5)
        assert (result.status, result.state_kept) == (CellStatus.TIMEOUT, True)
        assert result.duration < 5
        assert (await session.run("print(x)")).text == "1\n"


async def test_a_cell_that_will_not_stop_costs_the_state_and_no_more(any_server):
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)"
    async with AsyncSession(RemoteKernel(any_server.info)) as session:
        await session.run("1")
        result = await session.run(code, timeout=0.5)
        assert (result.status, result.state_kept) == (CellStatus.TIMEOUT, False)
        assert result.duration < 5
        result = await session.run("print('again')")
        assert (result.ok, result.generation) == (True, 2), result


async def test_a_restart_loses_the_state_and_keeps_the_id(any_server):
    async with AsyncSession(RemoteKernel(any_server.info)) as session:
        await session.run("x = 1")
        kernel_id = session.kernel.kernel_id
        await session.restart()
        assert session.kernel.kernel_id == kernel_id
        assert printed(await session.run("print('x' in globals())")) == "False\n"


async def test_a_kernel_that_dies_ends_its_cell_and_the_next_has_a_fresh_one(any_server):
    async with AsyncSession(RemoteKernel(any_server.info)) as session:
        result = await session.run(
            "print('before')\nimport os, signal, time\ntime.sleep(0.5)\nos.kill(os.getpid(), signal.SIGKILL)"
        )
        assert (result.status, result.state_kept) == (CellStatus.DIED, False)
        assert "The kernel died and the server started it again." in result.notes
        assert result.text.startswith("before\n")
        assert result.duration < 10  # stock servers look every three seconds
        assert printed(await session.run("print('after')")) == "after\n"


async def deaf_cell(session):
    """A cell that runs and does not hear the interrupt by which a server begins to stop its kernel."""
    began = asyncio.Event()
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('on', flush=True)\ntime.sleep(60)"
    cell = asyncio.create_task(session.run(code, on_output=lambda _: began.set()))
    await began.wait()
    return cell


async def test_a_kernel_somebody_else_stops_is_named(jupyter_server):
    async with AsyncSession(RemoteKernel(jupyter_server.info)) as session:
        await session.run("1")
        cell = await deaf_cell(session)
        await asyncio.to_thread(JupyterClient(jupyter_server.info).delete_kernel, session.kernel.kernel_id)
        result = await cell
        assert result.status is CellStatus.DIED
        assert "shut down by another client" in result.cause or "no longer on the server" in result.cause
        assert result.duration < 15
        assert printed(await session.run("print('after')")) == "after\n"


async def test_a_kernel_somebody_else_restarts_is_named(jupyter_server):
    async with AsyncSession(RemoteKernel(jupyter_server.info)) as session:
        await session.run("x = 1")
        cell = await deaf_cell(session)
        await asyncio.to_thread(JupyterClient(jupyter_server.info).restart_kernel, session.kernel.kernel_id)
        result = await cell
        assert (result.status, result.cause) == (
            CellStatus.DIED,
            "The kernel was restarted by another client of the server.",
        )


async def test_a_cut_connection_loses_nothing_silently(jupyter_server):
    async with FaultProxy(jupyter_server.info) as proxy, AsyncSession(RemoteKernel(proxy.info)) as session:
        await session.run("x = 1")
        proxy.cut_after(20_000)
        code = "import time\nfor i in range(40):\n    print(f'{i:04}' * 250)\n    time.sleep(0.02)"
        result = await session.run(code, timeout=30)
        assert result.ok
        if not result.incomplete:
            assert result.text == "".join(f"{i:04}" * 250 + "\n" for i in range(40))
        assert result.duration < 15
        assert (await session.run("print(x)")).text == "1\n"


async def test_what_is_lost_while_a_server_stalls_is_counted(any_server, tmp_path):
    """A stock kernel drops what its server does not take, and the server what goes beyond its rate."""
    finished = tmp_path / "finished"
    stalls = []

    def stall(_):
        if not stalls:
            stalls.append(True)
            any_server.process.send_signal(signal.SIGSTOP)

    async with AsyncSession(RemoteKernel(any_server.info)) as session:
        code = f"display(0)\nfor i in range(1, 20_000): display(i)\nopen({str(finished)!r}, 'w').close()"
        running = asyncio.create_task(session.run(code, on_output=stall))
        while not finished.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        any_server.process.send_signal(signal.SIGCONT)
        result = await running
    assert result.missing > 0
    shown = [output for output in result.outputs if isinstance(output, DisplayOutput)]
    assert len(shown) + result.missing in {20_000, 20_001}  # its idle may be among the lost
    assert f"{result.missing} messages of the kernel did not arrive" in result.incomplete


async def test_an_idle_session_outlives_a_cut(any_server):
    async with FaultProxy(any_server.info) as proxy, AsyncSession(RemoteKernel(proxy.info)) as session:
        await session.run("x = 1")
        await proxy.cut()
        assert (await session.run("print(x)")).text == "1\n"


async def test_a_server_that_is_killed_ends_the_cell_and_every_later_call_at_once(tmp_path):
    with stock_server(tmp_path) as server:
        session = AsyncSession(RemoteKernel(server.info))
        await session.run("1")
        started = asyncio.Event()
        cell = asyncio.create_task(
            session.run("import time; print('on', flush=True); time.sleep(60)", on_output=lambda _: started.set())
        )
        await started.wait()
        kill_group(server.process)
        result = await cell
        assert result.status is CellStatus.DIED
        assert "nothing listens there" in result.cause
        assert result.text.startswith("on\n")
        for _ in range(2):
            async with asyncio.timeout(3):
                with pytest.raises(ConnectError, match="nothing listens there"):
                    await session.run("1")
        await session.close()


async def test_a_server_that_hangs_does_not_hang_the_call(tmp_path):
    with stock_server(tmp_path) as server:
        async with AsyncSession(RemoteKernel(server.info)) as session:
            await session.run("x = 1")
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                async with asyncio.timeout(10):
                    result = await session.run("print(x)", timeout=1)
            finally:
                os.kill(server.process.pid, signal.SIGCONT)
            assert result.status is CellStatus.TIMEOUT


async def test_a_kernelspec_that_is_missing(any_server):
    words = r"Kernel no-such is not installed\. The server at .* has these: bash, python3\."
    await refused(KernelSpecNotFound, words, any_server.info, "no-such")


async def test_a_wrong_token(any_server):
    await refused(AuthError, "refused our token", dataclasses.replace(any_server.info, token="wrong"))


async def test_nothing_listens_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    await refused(ConnectError, "nothing listens there", JupyterConnectionInfo("127.0.0.1", False, port))


async def test_a_wrong_base_path(jupyter_server):
    info = dataclasses.replace(jupyter_server.info, base_path="/other")
    await refused((RemoteProtocolError, AuthError), "asked to start a kernel", info)


async def test_a_start_that_is_cancelled_leaves_no_kernel(any_server):
    before = await kernel_ids(any_server.info)
    for delay in (0.0, 0.02, 0.1):
        kernel = RemoteKernel(any_server.info)
        starting = asyncio.create_task(kernel.start())
        await asyncio.wait({starting}, timeout=delay)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await kernel.stop()
    assert await kernel_ids(any_server.info) == before


async def test_a_start_that_is_cancelled_when_it_is_connected_leaves_no_connection(jupyter_server, monkeypatch):
    info = jupyter_server.info
    kernel = RemoteKernel(info)
    opened = WebSocketTransport.open

    async def open_and_cancel(transport):
        await opened(transport)
        starting.cancel()

    monkeypatch.setattr(WebSocketTransport, "open", open_and_cancel)
    starting = asyncio.create_task(kernel.start())
    with pytest.raises(asyncio.CancelledError):
        await starting
    await kernel.stop()
    connected = [c.raddr.port for c in psutil.Process().net_connections("tcp") if c.raddr and c.status == "ESTABLISHED"]
    assert info.port not in connected


async def test_a_start_that_got_no_answer_can_be_repeated_and_leaves_no_second_kernel(jupyter_server):
    before = await kernel_ids(jupyter_server.info)
    async with FaultProxy(jupyter_server.info) as proxy:
        kernel = RemoteKernel(proxy.info)
        proxy.swallow()
        starting = asyncio.create_task(kernel.start())
        await proxy.passed.wait()
        await proxy.cut()
        with pytest.raises(ConnectError):
            await starting
        proxy.swallow(on=False)
        await kernel.start()
        assert kernel.kernel_id in await kernel_ids(jupyter_server.info)
        await kernel.stop()
    assert await kernel_ids(jupyter_server.info) == before


async def test_another_language(any_server):
    async with AsyncSession(RemoteKernel(any_server.info, "bash")) as session:
        assert (await session.run("echo $((6 * 7))")).text == "42\n"
        assert session.kernel.language == "bash"
