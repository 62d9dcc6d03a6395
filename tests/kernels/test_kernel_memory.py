"""What a kernel's memory costs: neither a flood of output nor a long life makes it grow."""

import asyncio

import pytest

from cellblock import Limits, Session
from cellblock._core.messages import Requests
from cellblock._core.results import CellStatus
from cellblock.kernels.local import LocalKernel

MEGABYTE = 1024  # in the unit of ru_maxrss


@pytest.fixture
def session():
    with Session(timeout=60, limits=Limits(memory=1_000_000, spool=0)) as session:
        session.start()
        yield session


def peak(session):
    result = session.run("import resource; resource.getrusage(resource.RUSAGE_SELF).ru_maxrss")
    return int(result.text)


@pytest.mark.parametrize(
    "flood",
    [
        "import sys\nwhile True: sys.stdout.write('y\\n' * 32768)",
        "while True: display({'text/plain': 'y' * 100_000}, raw=True)",
        "import subprocess; subprocess.run(['yes'])",
    ],
)
def test_a_kernel_does_not_run_away_from_its_reader(session, flood):
    before = peak(session)
    result = session.run(flood, timeout=2)
    assert (result.status, result.state_kept, result.incomplete) == (CellStatus.TIMEOUT, True, "")
    assert result.duration < 2 + 3
    assert peak(session) - before < 300 * MEGABYTE


def test_a_kernel_keeps_no_copy_of_what_it_showed(session):
    show = "print('x' * 20_000_000); display({'text/plain': 'x' * 20_000_000}, raw=True); None"
    session.run(show)
    before = peak(session)
    for _ in range(5):
        assert session.run(show).ok
    assert peak(session) - before < 60 * MEGABYTE


@pytest.mark.anyio
async def test_a_kernel_that_nobody_tells_what_was_taken_does_not_wait(tmp_path):
    kernel, written = LocalKernel(), tmp_path / "written"
    transport = await kernel.start()
    transport._taken.close()
    transport._taken = None
    code = f"for _ in range(4): print('x' * 20_000_000, flush=True)\nopen({str(written)!r}, 'w').close()"
    await transport.send(Requests().execute(code))
    async with asyncio.timeout(60):
        while not written.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
    await kernel.stop()
