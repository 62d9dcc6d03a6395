"""Two clients on one kernel: the one that attached neither stops nor restarts what the owner runs."""

from __future__ import annotations

import asyncio

import pytest

from cellblock._core.messages import Requests
from cellblock._core.results import CellStatus
from cellblock.errors import KernelStartError
from cellblock.kernels.remote import RemoteKernel
from cellblock.session import AsyncSession
from cellblock.transports.rest import AsyncJupyterClient

pytestmark = pytest.mark.anyio

BUSY = "another cell, such as another client's, is still running in the kernel, which runs this one when that is over."


@pytest.fixture
async def owner(any_server):
    async with AsyncSession(RemoteKernel(any_server.info)) as owner:
        await owner.run("x = 41")
        yield owner


@pytest.fixture
async def guest(any_server, owner):
    async with AsyncSession(RemoteKernel(any_server.info, kernel_id=owner.kernel.kernel_id)) as guest:
        await guest.start()
        yield guest


@pytest.fixture
async def held(owner, tmp_path):
    """A cell of the owner's that runs until its file is there; gives the cell and the file."""
    go_on, began = tmp_path / "go-on", asyncio.Event()
    code = f"import os, time\nprint('began', flush=True)\nwhile not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    cell = asyncio.create_task(owner.run(code, on_output=lambda _: began.set()))
    await began.wait()
    yield cell, go_on
    go_on.touch()
    await cell


def printed(result):
    return "".join(output.text for output in result.outputs if output.name == "stdout")


async def until_busy(session):
    """Waits for something that announces itself in no other way."""
    while session.status != "busy":  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_a_timeout_leaves_the_cell_it_waits_for_alone(owner, guest, held):
    cell, go_on = held
    result = await guest.run("print('late'); x += 1", timeout=0.5)
    assert (result.status, result.state_kept) == (CellStatus.TIMEOUT, True)
    assert result.notes == (f"Timeout: the cell did not begin within 0.5 s, because {BUSY}",)
    assert not cell.done()
    go_on.touch()
    assert (await cell).ok
    after = await guest.run("print(x)")  # what was given up has run by now, and its output is not this cell's
    assert printed(after) == "42\n"
    assert after.ok
    assert (await owner.run("print(x)")).generation == 1


async def test_an_interrupt_leaves_it_alone(guest, held):
    cell, go_on = held
    waiting = asyncio.create_task(guest.run("1"))
    await until_busy(guest)
    await guest.interrupt()
    result = await waiting
    assert (result.status, result.cause) == (CellStatus.INTERRUPTED, f"The cell had not begun, because {BUSY}")
    go_on.touch()
    assert (await cell).ok


async def test_closing_and_cancelling_leave_it_alone(guest, held):
    cell, go_on = held
    cancelled = asyncio.create_task(guest.run("1"))
    await until_busy(guest)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    closed = asyncio.create_task(guest.run("1"))
    await until_busy(guest)
    await guest.close()
    assert (await closed).status is CellStatus.INTERRUPTED
    assert not cell.done()
    go_on.touch()
    assert (await cell).ok


async def test_a_cell_that_does_not_let_itself_be_interrupted_costs_the_owner_nothing(owner, guest, tmp_path):
    end = tmp_path / "end"
    code = (
        "import os, time\nprint('began', flush=True)\n"
        f"while not os.path.exists({str(end)!r}):\n    try: time.sleep(0.01)\n    except KeyboardInterrupt: pass"
    )
    result = await guest.run(code, timeout=1)
    assert (result.status, result.state_kept) == (CellStatus.TIMEOUT, True)
    assert result.cause == (
        "Timeout: the cell was interrupted after 1 s and has not stopped. The kernel is somebody else's, so it is left as "
        "it is, and the cell goes on."
    )
    end.touch()
    assert printed(await owner.run("print(x)")) == "41\n"
    assert owner.generation == 1
    assert (await guest.run("1")).ok


async def test_a_cell_of_ones_own_is_interrupted_all_the_same(guest):
    result = await guest.run("import time; time.sleep(1000)", timeout=0.5)
    assert (result.status, result.state_kept) == (CellStatus.TIMEOUT, True)
    assert printed(await guest.run("print(x)")) == "41\n"


async def test_a_cell_that_the_owners_failure_took_along_is_sent_again(owner, guest, tmp_path):
    go_on, began = tmp_path / "fail", asyncio.Event()
    code = (
        f"import os, time\nprint('began', flush=True)\nwhile not os.path.exists({str(go_on)!r}): time.sleep(0.01)\n1/0"
    )
    failing = asyncio.create_task(owner.run(code, on_output=lambda _: began.set()))
    await began.wait()
    waiting = asyncio.create_task(guest.run("print(x)"))
    await until_busy(guest)
    question = Requests().make("kernel_info_request", {}, channel="control")
    guest._cell.probe = question.msg_id
    await guest._connection.send(question)
    while not guest._cell.answered:  # noqa: ASYNC110 - then what was sent before it has arrived too
        await asyncio.sleep(0.01)
    go_on.touch()
    assert (await failing).status is CellStatus.ERROR
    assert printed(await waiting) == "41\n"


async def test_a_kernel_that_its_owner_stopped_is_named_at_every_call(any_server, owner, guest):
    kernel_id = owner.kernel.kernel_id
    async with AsyncJupyterClient(any_server.info) as client:
        await client.delete_kernel(kernel_id)
    async with asyncio.timeout(20):
        while guest.status != "dead":  # noqa: ASYNC110 - nothing else announces it
            await asyncio.sleep(0.01)
    for _ in range(2):
        with pytest.raises(KernelStartError, match=f"^Kernel {kernel_id} is no longer on the server .* not replaced"):
            await guest.run("1")
