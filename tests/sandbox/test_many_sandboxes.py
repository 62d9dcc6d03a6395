"""Sandboxes one after the other and side by side leave nothing behind and do not see each other."""

import asyncio
import contextlib
import os
import sysconfig
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from cellblock.kernels.forkserver.fork import Fork
from cellblock.kernels.sandbox.cgroups import find_parents
from cellblock.kernels.sandbox.users import is_sandbox_user

pytestmark = pytest.mark.anyio

_MANY = int(os.environ.get("SANDBOXES", "20"))  # 500 shows more, and takes a minute or two


def _left():
    """All that a sandbox could leave, beside what every test is watched for."""
    parents = find_parents()
    places = [] if parents is None else [parents.unified, *(folder for _, folder in parents.by_controller)]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    own = psutil.Process()
    processes = [own, *own.children(recursive=True)]
    descriptors = [descriptor for process in processes for descriptor in _descriptors(process.pid)]
    return {
        "processes": [process.pid for process in processes],
        "descriptors": descriptors,
        "sockets": [descriptor for descriptor in descriptors if "socket:" in descriptor],
        "mounts": [line for line in mounts if "cellblock" in line or "/newroot" in line or "/oldroot" in line],
        "groups": [str(group) for place in places if place for group in place.glob(f"cellblock-{os.getpid()}-*")],
        "files": sorted(Path(tempfile.gettempdir()).glob("cellblock-*")),
    }


def _descriptors(pid):
    with contextlib.suppress(FileNotFoundError):  # ended, or closed, meanwhile
        return [f"{pid} {entry.readlink()}" for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return []


async def _nothing_more_than(before):
    """Checks that there is no more than there was, as soon as what was told to end has ended."""
    until = time.monotonic() + 5
    while (more := _more_than(before)) and time.monotonic() < until:  # noqa: ASYNC110 - the system tells nobody
        await asyncio.sleep(0.02)
    assert not more


def _more_than(before):
    """What there is more of; what a test before left to end may be gone."""
    now = _left()
    return {what: now[what] for what in now if len(now[what]) > len(before[what])}


@pytest.mark.timeout(60 + _MANY)
@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C.UTF-8"}], ids=["forked", "spawned"])
async def test_many_sessions_leave_nothing(make_session, env):
    async def use():
        async with make_session(env=env) as session:
            assert (await session.run("open('x', 'w').write('x'); 6 * 7")).text == "42"

    await use()  # starts what a process keeps
    before = _left()
    for _ in range(_MANY // 4):
        await asyncio.gather(*(use() for _ in range(4)))
    await _nothing_more_than(before)


async def test_a_start_that_is_given_up_leaves_nothing(make_session):
    async with make_session() as session:
        await session.run("1")
    before = _left()
    for moment in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16):
        session = make_session()
        starting = asyncio.ensure_future(session.start())
        await asyncio.sleep(moment)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await session.close()
    await _nothing_more_than(before)


async def test_sessions_of_one_workspace_share_their_files_and_nothing_else(make_session, tmp_path):
    async with make_session(workspace=tmp_path) as one, make_session(workspace=tmp_path) as other:
        await one.run("import os\nopen('shared', 'w').write('from one'); secret = os.getpid()")
        assert (await other.run("open('shared').read()")).text == "'from one'"
        await other.run("open('shared', 'a').write(' and other')")
        assert (await one.run("open('shared').read()")).text == "'from one and other'"
        assert (await other.run("import os\nlen([n for n in os.listdir('/proc') if n.isdigit()])")).text == "3"


@pytest.mark.skipif(os.getuid() != 0, reason="only root's sandboxes have users of their own")
async def test_roots_sandboxes_have_users_of_their_own(make_session, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "given").write_text("given")
    outside = tmp_path / "outside"
    outside.write_text("not given")
    os.link(outside, data / "second-name")
    (data / "link").symlink_to(outside)
    async with make_session(workspace=data) as one, make_session() as other:
        users = {(await session.run("import os\nos.getuid()")).text for session in (one, other)}
        assert len(users) == 2
        assert all(is_sandbox_user(int(user)) for user in users)
        assert (await one.run("open('given', 'a').write(' and changed')")).ok
    assert (data / "given").read_text() == "given and changed"
    assert outside.stat().st_uid == 0  # neither by its second name nor by the link


async def test_options_of_processors_are_kept(make_session):
    async with make_session(cpus=1) as session:
        burn = "import os, time\nbegan = time.process_time(), time.time()\nfor _ in range(2):\n if os.fork() == 0:\n"
        burn += "  while True: pass\nwhile time.time() - began[1] < 1: pass\nround(time.process_time() - began[0], 1)"
        share = float((await session.run(burn, timeout=30)).text)
        assert share < 0.75  # three processes share one processor


async def test_a_process_that_ends_before_it_is_let_in_is_replaced(make_session, monkeypatch):
    """As it does when a package has been installed since it was forked."""
    async with make_session() as session:
        await session.run("1")
    tell = Fork.tell

    async def tell_and_be_late(fork, message):
        await tell(fork, message)
        await asyncio.sleep(0.2)

    monkeypatch.setattr(Fork, "tell", tell_and_be_late)
    os.utime(sysconfig.get_path("purelib"))
    async with make_session() as session:
        assert (await session.run("6 * 7")).text == "42"
