"""Sockets and pipes of the host cannot be reached by the files that a sandbox sees."""

import os
import socket

import pytest

from cellblock.errors import ConfigError
from cellblock.kernels.sandbox import sockets
from cellblock.kernels.sandbox.options import Sandbox

pytestmark = pytest.mark.anyio

_CONNECT = """
import socket
def connected(path):
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.connect(path)
        except OSError as error:
            return error.strerror
    return 'connected'
"""
_REFUSED = "'Connection refused'"


@pytest.fixture
def listen():
    """Listens at paths, which are named from a descriptor: so the system's list of sockets does not have them."""
    opened = []

    def at(path, *, listed=False):
        listener = socket.socket(socket.AF_UNIX)
        opened.append(listener)
        folder = os.open(path.parent, os.O_PATH)
        listener.bind(str(path) if listed else f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
        path.chmod(0o777)
        listener.listen()

    yield at
    for listener in opened:
        listener.close()


@pytest.fixture
def shown(tmp_path):
    shown = tmp_path / "shown"
    (shown / "deeper").mkdir(parents=True)
    return shown


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C.UTF-8"}], ids=["forked", "spawned"])
async def test_a_service_in_a_read_only_folder_is_not_reached(make_session, listen, shown, env):
    listen(shown / "deeper" / "service")
    os.mkfifo(shown / "pipe", 0o666)
    async with make_session(read_only=[shown], env=env) as session:
        assert (await session.run(f"{_CONNECT}connected('{shown}/deeper/service')")).text == _REFUSED
        opened = await session.run(f"open('{shown}/pipe')")  # does not wait for a writer
        assert opened.error.ename == "PermissionError"


async def test_one_that_came_later_is_found_in_the_systems_list(make_session, listen, shown):
    async with make_session(read_only=[shown]) as session:
        listen(shown / "deeper" / "service", listed=True)
        assert (await session.run(f"{_CONNECT}connected('{shown}/deeper/service')")).text == _REFUSED


async def test_a_service_in_the_workspace_is_not_reached_by_any_kernel(make_session, listen, tmp_path):
    workspace = tmp_path / "workspace"
    (workspace / "sub").mkdir(parents=True)
    listen(workspace / "sub" / "service")
    async with make_session(workspace=workspace) as session:
        assert (await session.run(f"{_CONNECT}connected('sub/service')")).text == _REFUSED
        await session.run("import os\nos.rename('sub', 'moved')")
        await session.restart()
        assert (await session.run(f"{_CONNECT}connected('moved/service')")).text == _REFUSED


async def test_a_service_of_the_codes_own_is_its_own_also_after_a_restart(make_session):
    code = """
        import os, socket
        with socket.socket(socket.AF_UNIX) as own:
            if os.path.exists('service'):
                os.unlink('service')
            own.bind('service')
            own.listen()
            answer = connected('service')
        answer
    """
    code = _CONNECT + "\n".join(line.removeprefix(" " * 8) for line in code.splitlines())
    async with make_session() as session:
        assert (await session.run(code)).text == "'connected'"
        await session.restart()
        assert (await session.run(code)).text == "'connected'"


def test_a_huge_folder_is_not_gone_through_to_its_end(listen, shown, monkeypatch):
    listen(shown / "deeper" / "service")
    (shown / "file").touch()
    assert sockets.doors_below(shown) == (shown / "deeper" / "service",)
    monkeypatch.setattr(sockets, "_MOST", 2)
    assert sockets.doors_below(shown) == ()


@pytest.mark.parametrize("kind", ["socket", "pipe"])
def test_a_socket_or_a_pipe_cannot_be_shown_itself(listen, shown, kind):
    path = shown / kind
    if kind == "socket":
        listen(path)
    else:
        os.mkfifo(path)
    with pytest.raises(ConfigError, match=f"read_only names .*{kind}, which is neither a file nor a directory"):
        Sandbox(read_only=[path])
