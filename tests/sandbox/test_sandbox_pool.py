"""Kernels that wait in sandboxes are as confined as others, each in a sandbox of its own."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from cellblock import AsyncSession, Session
from cellblock.background import background_loop
from cellblock.errors import ConfigError
from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.kernelspec import find_kernelspec
from cellblock.kernels.pool import KernelPool
from cellblock.kernels.sandbox.interpreter import examine
from cellblock.kernels.sandbox.join import sandbox_fork_server
from cellblock.kernels.sandbox.joined_process import JoinedProcess
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox
from cellblock.kernels.sandbox.spare import SandboxedSpare

_PRELOADED = ("matplotlib", "numpy", "pandas")

_NEVER_CLOSED = """
import atexit
spares = []
atexit.register(lambda: print(all(spare._gone.is_set() for spare in spares)))  # registered first, so it runs last
from cellblock import KernelPool, Sandbox
pool = KernelPool(2, sandbox=Sandbox())
spares += pool._spares._waiting
if {built}:
    [spare._built.result() for spare in spares]
"""


@pytest.fixture
def pool():
    with KernelPool(2, sandbox=Sandbox()) as pool:
        yield pool


@pytest.fixture
def spare():
    """One kernel that waits."""
    spare = SandboxedSpare(SandboxLauncher(Sandbox()), find_kernelspec("python3"))
    yield spare
    spare.close(wait=5)
    spare.launcher.close()


@pytest.fixture
def ended_afterwards():
    """A pool with packages has a fork server of its own, which a process keeps, and a test must not."""
    servers = []
    yield servers
    for server in servers:
        server.end()
    fork_server()
    sandbox_fork_server(examine(sys.executable))


def test_kernels_that_waited_are_in_sandboxes_of_their_own(pool):
    with Session(pool.kernel()) as one, Session(pool.kernel()) as other:
        one.run("open('mine', 'w').write('x'); import os")
        assert one.run("os.getcwd(), os.listdir(), os.environ['HOME']").text == "('/workspace', ['mine'], '/home/user')"
        processes = "len([n for n in os.listdir('/proc') if n.isdigit()])"
        assert other.run(f"import os\nos.listdir(), {processes}").text == "([], 3)"
        assert one.kernel._launcher.workspace != other.kernel._launcher.workspace


def test_a_waiting_kernel_is_one_that_waited(pool):
    spares = list(pool._spares._waiting)
    with Session(pool.kernel()) as session:
        session.run("1")
        assert session.kernel._process is spares[0]._process


def test_a_restarted_kernel_keeps_its_workspace(pool):
    with Session(pool.kernel()) as session:
        session.run("open('kept', 'w').write('x')")
        session.restart()
        assert session.run("import os\nos.listdir()").text == "['kept']"


def test_a_named_workspace_is_shared_and_files_that_come_later_are_the_codes(tmp_path):
    with KernelPool(1, sandbox=Sandbox(workspace=tmp_path)) as pool:
        pool._spares._waiting[0]._built.result()
        (tmp_path / "later").write_text("given")
        (tmp_path / "later").chmod(0o600)
        with Session(pool.kernel(env={"NAME": "value"})) as session:
            assert session.run("import os\nopen('later').read(), os.environ['NAME']").text == "('given', 'value')"


def test_what_a_kernel_reads_at_its_start_is_given_to_a_fresh_one(pool):
    with Session(pool.kernel(env={"LC_ALL": "C.UTF-8"})) as session:
        assert session.run("import os\nos.environ['LC_ALL']").text == "'C.UTF-8'"
        assert not isinstance(session.kernel._process, JoinedProcess)
    assert pool.waiting == 2


def test_a_pool_that_nobody_can_be_given_from_keeps_none_and_says_why():
    with KernelPool(2, sandbox=Sandbox(env={"LC_ALL": "C.UTF-8"})) as pool:
        assert pool.why_not == "The environment variable LC_ALL is read when a kernel starts and has no effect later."
        assert pool.waiting == 0
        with Session(pool.kernel()) as session:
            assert session.run("import os\nos.environ['LC_ALL']").text == "'C.UTF-8'"
        assert pool.waiting == 0


@pytest.mark.anyio
async def test_a_waiting_kernel_moves_to_the_loop_that_takes_it(spare):
    process, transport = await spare.take({})
    assert process._loop is asyncio.get_running_loop()
    process.kill()
    await asyncio.wait_for(asyncio.shield(process.ended), 10)
    assert process.cause_of_death().startswith("The kernel was killed by signal 9")
    await process.gone(0)
    await transport.close()


@pytest.mark.anyio
async def test_a_kernel_that_died_while_it_waited_is_not_given_out(pool):
    spare = pool._spares._waiting[0]
    await asyncio.to_thread(spare._built.result)
    spare._process.kill()
    async with AsyncSession(pool.kernel()) as session:
        assert (await session.run("6 * 7")).text == "42"
        assert session.kernel._process is not spare._process


def test_a_closed_pool_leaves_nothing():
    pool = KernelPool(2, sandbox=Sandbox())
    spares = list(pool._spares._waiting)
    pool.close()
    assert all(spare._gone.is_set() for spare in spares)
    with pytest.raises(ConfigError, match="closed"):
        pool.kernel()


def test_a_pool_that_is_dropped_in_the_loop_that_ends_its_kernels_does_not_wait_for_itself(spare):
    async def close():
        spare.close(wait=threading.TIMEOUT_MAX)

    background_loop().call(close())
    assert spare._gone.wait(10)


@pytest.mark.parametrize("built", [True, False])
def test_a_program_that_ends_without_closing_its_pool_leaves_nothing(built, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", _NEVER_CLOSED.format(built=built)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == ("True\n", "")
    assert list(tmp_path.iterdir()) == []


def test_packages_are_imported_before_and_the_callers_environment_is_not_there(monkeypatch, ended_afterwards):
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "secret-value")
    with KernelPool(1, preload=_PRELOADED, sandbox=Sandbox(memory="1G")) as pool:
        ended_afterwards.append(pool._launcher().fork_server())
        with Session(pool.kernel(), timeout=60) as session:
            assert session.run(f"import sys\nall(name in sys.modules for name in {_PRELOADED})").text == "True"
            found = session.run("import os\nopen('/proc/self/environ').read(), dict(os.environ)")
            assert "HOME" in found.text
            assert "secret-value" not in found.text
            plot = session.run("import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])")
            assert "image/png" in plot.outputs[-1].data
