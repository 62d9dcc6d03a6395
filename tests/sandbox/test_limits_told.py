"""Which limit was reached is told right, and none that was not."""

import pytest

from cellblock.kernels.sandbox.guard import KillCheck
from cellblock.kernels.sandbox.limiter import cgroup_parents

pytestmark = pytest.mark.anyio

_MIB = 2**20
_CHILD = """
import subprocess, sys
child = "import mmap; m = mmap.mmap(-1, 900 << 20); [m.__setitem__(at, 1) for at in range(0, len(m), 4096)]"
subprocess.run([sys.executable, '-c', child]).returncode
"""


@pytest.mark.skipif(cgroup_parents() is None, reason="no control groups can be made here")
async def test_a_child_that_was_killed_for_memory_is_not_why_its_kernel_dies_later(make_session):
    async with make_session(memory="400M") as session:
        assert (await session.run(_CHILD)).text == "-9"
        while session.kernel._process._limiter.verdict:
            assert (await session.run("print(42)")).text == "42\n"
        died = await session.run("import os\nos.kill(os.getpid(), 9)")
        assert "no limit was reached" in died.text


@pytest.mark.skipif(cgroup_parents() is None, reason="no control groups can be made here")
async def test_a_kernel_that_is_killed_for_memory_says_so_after_a_child_was(make_session):
    async with make_session(memory="400M") as session:
        await session.run(_CHILD)
        died = await session.run(
            "import mmap; m = mmap.mmap(-1, 900 << 20)\nfor at in range(0, len(m), 4096): m[at] = 1"
        )
        assert "Out of memory: the code used more than the 400 MiB" in died.text


def test_what_was_killed_is_told_until_some_looks_later():
    killed = 0
    check = KillCheck(lambda: killed)
    assert not check.killed_just_now
    killed = 1
    assert check.killed_just_now
    told = []
    for _ in range(100):
        assert check.exceeded([]) == ""
        told.append(check.killed_just_now)
    assert told[:10] == [True] * 10
    assert not told[-1]


async def test_memory_that_is_refused_to_a_mapping_is_told(make_session):
    async with make_session(memory="400M") as session:
        result = await session.run("import mmap\nmmap.mmap(-1, 900 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)")
        assert result.text.endswith("Out of memory: the sandbox allows 400 MiB to all that runs in it.\n")


async def test_a_full_disk_is_told_for_sqlite_too(make_session):
    code = """
import sqlite3
base = sqlite3.connect('x.db')
base.execute('create table t (x)')
base.execute('insert into t values (zeroblob(6000000))')
base.commit()
"""
    async with make_session(disk="4M") as session:
        result = await session.run(code)
        assert result.error.evalue == "disk I/O error"
        assert result.text.endswith("Disk full: the sandbox allows 4 MiB to be written to its workspace.\n")


async def test_a_large_file_that_was_there_can_be_added_to(make_session, tmp_path):
    with (tmp_path / "mine").open("wb") as file:
        file.truncate(60 * _MIB)
    async with make_session(workspace=tmp_path, disk="50M") as session:
        assert (await session.run("with open('mine', 'ab') as file: print(file.write(b'y'))")).text == "1\n"


@pytest.mark.parametrize("folder", ["/workspace", "/tmp"])
async def test_after_the_disk_was_full_and_was_tidied_up_there_is_room(make_session, folder):
    async with make_session(disk="8M") as session:
        full = await session.run("for n in range(20): open(f'f{n}', 'wb').write(bytes(1 << 20))\nwhile True: pass")
        assert "Disk full" in full.text
        await session.run("import os\nfor name in os.listdir(): os.unlink(name)")
        assert (await session.run(f"open('{folder}/g', 'wb').write(bytes(2 << 20))")).text == str(2 * _MIB)
