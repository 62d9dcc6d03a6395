"""Networks that fail under a session: what becomes of its kernel's state, and what is said of it."""

from __future__ import annotations

import asyncio

import pytest

from cellblock._core.results import CellStatus
from cellblock.errors import ConnectError
from cellblock.kernels.remote import RemoteKernel
from cellblock.session import AsyncSession
from cellblock.transports.rest import AsyncJupyterClient
from servers.fault_proxy import FaultProxy

pytestmark = pytest.mark.anyio

NOT_KNOWN = "Whether variables and imports are kept is not known: the next result says so if they are lost."


@pytest.fixture
async def proxy(jupyter_server):
    async with FaultProxy(jupyter_server.info) as proxy:
        yield proxy


async def until_dead(session):
    """Waits for something that announces itself in no other way."""
    async with asyncio.timeout(20):
        while session.status != "dead":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def go_away(proxy):
    await proxy.refuse()
    await proxy.cut()


async def begun(session, code, **options):
    """A cell that has printed something."""
    began = asyncio.Event()
    cell = asyncio.create_task(
        session.run(f"print('began', flush=True)\n{code}", on_output=lambda _: began.set(), **options)
    )
    await began.wait()
    return cell


async def printed(session, code):
    result = await session.run(f"print({code})")
    assert result.ok, result
    return "".join(output.text for output in result.outputs if output.name == "stdout"), result.notes


async def test_a_server_out_of_reach_for_a_second_costs_a_cell_nothing(proxy):
    async with AsyncSession(RemoteKernel(proxy.info)) as session:
        await session.run("x = 41")
        cell = await begun(session, "import time; time.sleep(3); print('ended')")
        await go_away(proxy)
        await asyncio.sleep(1)  # how long the outage lasts
        await proxy.listen()
        result = await cell
        assert (result.status, result.state_kept) == (CellStatus.OK, True)
        assert result.text.endswith("ended\n")
        assert await printed(session, "x") == ("41\n", ())
        assert session.generation == 1


@pytest.mark.parametrize("is_ours", [True, False])
async def test_a_connection_lost_between_cells_costs_no_state(proxy, jupyter_server, is_ours):
    async with AsyncSession(RemoteKernel(jupyter_server.info)) as owner:
        await owner.run("x = 41")
        kernel_id = None if is_ours else owner.kernel.kernel_id
        async with AsyncSession(RemoteKernel(proxy.info, kernel_id=kernel_id, reconnect_timeout=0.3)) as session:
            await session.run("x = 41")
            await go_away(proxy)
            await until_dead(session)
            await proxy.listen()
            assert await printed(session, "x") == ("41\n", ())
            assert session.generation == 1
        assert await printed(owner, "x") == ("41\n", ())


async def test_a_cell_whose_connection_is_lost_says_what_is_not_known_and_the_next_call_finds_its_kernel(proxy):
    async with AsyncSession(RemoteKernel(proxy.info, reconnect_timeout=0.3)) as session:
        await session.run("x = 41")
        cell = await begun(session, "import time; time.sleep(1000)")
        await go_away(proxy)
        result = await cell
        assert (result.status, result.state_kept) == (CellStatus.DIED, False)
        assert "could not be made again" in result.cause
        assert result.notes[-1] == NOT_KNOWN
        for _ in range(2):
            with pytest.raises(ConnectError, match="nothing listens there"):
                await session.run("1")
        await proxy.listen()
        assert await printed(session, "x") == ("41\n", ())  # what ran on has been interrupted
        assert session.generation == 1


async def test_a_start_that_failed_with_nobody_waiting_for_it_is_tried_again(proxy):
    async with AsyncSession(RemoteKernel(proxy.info, reconnect_timeout=0.3)) as session:
        cell = await begun(session, "import time; time.sleep(1000)")
        await go_away(proxy)
        await cell
        starting = session._connection.begin_start()
        with pytest.raises(ConnectError):
            await starting
        await proxy.listen()
        assert await printed(session, "1") == ("1\n", ())


async def test_a_kernel_that_was_restarted_while_it_was_out_of_reach_is_not_taken_for_the_old_one(
    proxy, jupyter_server
):
    async with AsyncSession(RemoteKernel(proxy.info, reconnect_timeout=0.3)) as session:
        await session.run("x = 41")
        await go_away(proxy)
        await until_dead(session)
        async with AsyncJupyterClient(jupyter_server.info) as client:
            await client.restart_kernel(session.kernel.kernel_id)
        await proxy.listen()
        result = await session.run("'x' in globals()")
        assert (result.state_kept, result.generation) == (False, 2)
        assert result.notes[-1] == "The kernel was restarted: all variables and imports were lost."
        assert (await session.run("1")).notes == ()


async def test_a_kernel_that_was_stopped_while_it_was_out_of_reach_is_replaced(proxy, jupyter_server):
    async with AsyncSession(RemoteKernel(proxy.info, reconnect_timeout=0.3)) as session:
        await session.run("x = 41")
        await go_away(proxy)
        await until_dead(session)
        async with AsyncJupyterClient(jupyter_server.info) as client:
            await client.delete_kernel(session.kernel.kernel_id)
        await proxy.listen()
        result = await session.run("'x' in globals()")
        assert (result.state_kept, result.generation) == (False, 2)


async def test_a_deadline_in_an_outage_is_kept_and_costs_no_state(proxy):
    async with AsyncSession(RemoteKernel(proxy.info)) as session:
        await session.run("x = 41")
        cell = await begun(session, "import time; time.sleep(1000)", timeout=1)
        await go_away(proxy)
        result = await cell
        assert result.status is CellStatus.TIMEOUT
        assert result.duration < 2 + 3
        what, state = result.notes
        assert what.startswith("Timeout: the cell was given up after 1 s. ")  # and by what it was known first
        assert state == NOT_KNOWN
        await proxy.listen()
        assert await printed(session, "x") == ("41\n", ())


async def test_a_restart_that_was_asked_for_is_one_also_after_the_connection_was_lost(proxy):
    async with AsyncSession(RemoteKernel(proxy.info, reconnect_timeout=0.3)) as session:
        await session.run("x = 41")
        await go_away(proxy)
        await until_dead(session)
        await proxy.listen()
        await session.restart()
        assert await printed(session, "'x' in globals()") == ("False\n", ())
        assert session.generation == 2


async def test_a_kernel_that_another_client_restarted_is_known_by_the_cell_that_meets_the_new_one(jupyter_server):
    """Also where nothing was said of the restart before the cell was over."""
    async with (
        AsyncSession(RemoteKernel(jupyter_server.info)) as session,
        AsyncJupyterClient(jupyter_server.info) as client,
    ):
        await session.run("x = 1")
        session.kernel._transport.expect_end()  # what the kernel says of its end is not listened to
        await client.restart_kernel(session.kernel.kernel_id)
        result = await session.run("'x' in globals()")
        assert (result.ok, result.state_kept, result.generation) == (True, False, 2)
        # What it says before its server listens again is lost; then that is said between these two.
        assert result.notes[0] == "Before this cell: The kernel was restarted by another client or by its server."
        assert result.notes[-1] == "The kernel was restarted: all variables and imports were lost."
        after = await session.run("1")
        assert (after.notes, after.generation) == ((), 2)


async def test_an_attached_kernel_that_dies_for_good_was_not_restarted(jupyter_server):
    async with AsyncSession(RemoteKernel(jupyter_server.info)) as owner:
        await owner.run("1")
        kernel_id = owner.kernel.kernel_id
        async with AsyncSession(RemoteKernel(jupyter_server.info, kernel_id=kernel_id)) as guest:
            cell = await begun(guest, "import time; time.sleep(1000)")
            async with AsyncJupyterClient(jupyter_server.info) as client:
                await client.delete_kernel(kernel_id)
            result = await cell
            assert (result.status, result.state_kept) == (CellStatus.DIED, False)
            assert result.notes[-1] == "All variables and imports are lost."
