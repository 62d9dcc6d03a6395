"""A sandbox ends with its owner, however that ended."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cellblock.kernels.sandbox.own_workspace import OwnWorkspace

_OWNER = """
import asyncio, sys, threading
from cellblock import AsyncSession
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox

async def main():
    session = AsyncSession(LocalKernel(launcher=SandboxLauncher(Sandbox())))
    await session.run("import subprocess; subprocess.Popen(['sleep', '1000'], start_new_session=True)")
    print(session.kernel._process._first, session.kernel._process._kernel, flush=True)
    await session.run(sys.argv[1], timeout=100)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def swept():
    """What a killed owner leaves of its workspace the next one removes; here at once, or the guard would see it."""
    yield
    OwnWorkspace().remove()


def _owner(code):
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, code], stdout=subprocess.PIPE, text=True)
    first, kernel = (psutil.Process(int(number)) for number in owner.stdout.readline().split())
    # The first process, the kernel, which is no child of it, its detached child, and who waits for the kernel outside.
    inside = [first, kernel, *kernel.children(), kernel.parent()]
    assert len(inside) == 4
    return owner, inside


def _gone_within(processes, seconds):
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_a_killed_owners_sandbox_is_gone_within_a_second():
    owner, inside = _owner("import time; time.sleep(1000)")
    with owner:
        owner.kill()
        owner.wait()
        assert _gone_within(inside, 1.0)


def test_a_killed_owners_sandbox_is_gone_although_its_code_holds_the_interpreter():
    owner, inside = _owner("import re; re.match(r'(a+)+$', 'a' * 60 + 'b')")
    with owner:
        time.sleep(0.2)  # for the cell to begin; were it late, the test would be the one above
        owner.kill()
        owner.wait()
        assert _gone_within(inside, 1.0)


def test_the_thread_that_started_a_sandbox_may_end():
    code = """
import asyncio, threading, time
from cellblock import Session
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox
sessions = []
def start():
    sessions.append(Session(LocalKernel(launcher=SandboxLauncher(Sandbox()))))
    sessions[0].run("x = 6 * 7")
thread = threading.Thread(target=start)
thread.start(); thread.join(); time.sleep(0.3)
print(sessions[0].run("x").text)
sessions[0].close()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "42"


def test_a_forked_child_of_the_owner_does_not_keep_a_sandbox():
    code = """
import os, time
from cellblock import Session
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox
session = Session(LocalKernel(launcher=SandboxLauncher(Sandbox())))
session.run("1")
print(session.kernel._process._first, flush=True)
if os.fork() == 0:
    os.closerange(1, 3)
    time.sleep(5)
    os._exit(0)
os.kill(os.getpid(), 9)
"""
    owner = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    first = int(owner.stdout)
    until = time.monotonic() + 1
    while Path(f"/proc/{first}/cwd").exists() and time.monotonic() < until:  # which goes after all else it has
        time.sleep(0.01)
    assert not Path(f"/proc/{first}/cwd").exists()
