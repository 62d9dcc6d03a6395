"""What a kernel has from the process that owns it, as a child of it would: also when it is forked from another, earlier one."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from cellblock import Sandbox, Session
from cellblock.errors import KernelStartError
from cellblock.kernels.forkserver.launcher import ForkLauncher
from cellblock.kernels.launch import ConnectionFileLauncher, DescriptorLauncher
from cellblock.kernels.local import LocalKernel

_OWNER_THAT_CHANGES = """
import os, signal
from cellblock import KernelPool, Sandbox, Session
from cellblock.kernels.launch import DescriptorLauncher
from cellblock.kernels.local import LocalKernel
CELL = '''
import os
def of(thread):
    return os.sched_getaffinity(int(thread)), os.getpriority(os.PRIO_PROCESS, int(thread))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
threads = {str(of(thread)) for thread in os.listdir("/proc/self/task")}
print(sorted(threads), status["SigIgn"].strip(), open("/proc/self/oom_score_adj").read().strip())
'''
def show(kernel):
    with Session(kernel, timeout=60) as session:
        print(session.run(CELL).text.strip(), flush=True)
def waited(sandbox=None):
    with KernelPool(1, sandbox=sandbox) as pool:
        show(pool.kernel())
with Session() as plain, Session(sandbox=Sandbox()) as confined:  # the fork servers begin
    plain.run("1"), confined.run("1")
signal.signal(signal.SIGHUP, signal.SIG_IGN)
open("/proc/self/oom_score_adj", "w").write("300")
one = {max(os.sched_getaffinity(0))}
for thread in map(int, os.listdir("/proc/self/task")):
    os.sched_setaffinity(thread, one)
    os.setpriority(os.PRIO_PROCESS, thread, 5)
show(LocalKernel(launcher=DescriptorLauncher()))
show(LocalKernel())
waited()
show(LocalKernel(sandbox=Sandbox(env={"LC_ALL": "C.UTF-8"})))
show(LocalKernel(sandbox=Sandbox()))
waited(Sandbox())
"""


def test_what_the_owner_changed_after_the_fork_server_began_is_the_kernels():
    """Its processors, priority, ignored signals and place in the queue of those killed for memory, as a child has them."""
    ran = subprocess.run(
        [sys.executable, "-c", _OWNER_THAT_CHANGES], capture_output=True, text=True, check=True, timeout=120
    )
    started, forked, spare, started_in_sandbox, forked_in_sandbox, spare_in_sandbox = ran.stdout.splitlines()
    assert re.fullmatch(r"\['\(\{\d+\}, 5\)'\] \w+1 300", started)
    assert {forked, spare} == {started}
    assert {forked_in_sandbox, spare_in_sandbox} == {started_in_sandbox}


@pytest.mark.parametrize("launcher", [ForkLauncher, DescriptorLauncher, ConnectionFileLauncher])
def test_an_owner_whose_directory_is_gone_is_told(launcher, tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with (
        Session(LocalKernel(launcher=launcher())) as session,
        pytest.raises(KernelStartError, match=r"which has been removed\. Change to"),
    ):
        session.run("1")
    with Session(LocalKernel(launcher=launcher(), cwd=tmp_path)) as session:
        assert session.run("import os; os.getcwd()").text == repr(str(tmp_path))


def test_an_owner_whose_directory_is_gone_may_have_sandboxes(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with Session(sandbox=Sandbox()) as session:
        assert session.run("import os; os.getcwd()").text == "'/workspace'"
