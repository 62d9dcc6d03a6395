"""Files in and out: the contents API where there is one, the kernel itself where not, and never out of its directory."""

from __future__ import annotations

import os

import pytest

from cellblock._core.file_names import checked_name
from cellblock.coding.jupyter.file_store import KernelFiles, file_store_of
from cellblock.errors import ConfigError
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.local import LocalJupyterServer
from cellblock.session import AsyncSession
from cellblock.transports.contents import ContentsFiles
from servers.stock import stock_gateway

pytestmark = pytest.mark.anyio

OUTSIDE = ["/etc/passwd", "../x", "a/../../x", "", ".", "a//b", "a\\b", "C:x", "a\0b"]


@pytest.fixture(scope="module")
def local_server(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    with LocalJupyterServer(root_dir=root, pool=0) as server:
        yield server.connection_info, root


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    root = tmp_path_factory.mktemp("gateway")
    with stock_gateway(root) as server:
        yield server.info, root


@pytest.fixture(scope="module", params=["local_server", "gateway"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", OUTSIDE)
async def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(ConfigError, match="named from the kernel's working directory"):
        checked_name(name)


async def test_each_server_has_its_way(local_server, gateway):
    async with AsyncSession(RemoteKernel(local_server[0])) as session:
        await session.start()
        assert isinstance(await file_store_of(session), ContentsFiles)
    async with AsyncSession(RemoteKernel(gateway[0])) as session:
        await session.start()
        assert isinstance(await file_store_of(session), KernelFiles)


async def test_a_file_goes_in_and_comes_out(server, tmp_path):
    info, _ = server
    source = tmp_path / "table.csv"
    source.write_bytes(b"a,b\n1,\xff\n")
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.start()
        files = await file_store_of(session)
        await files.upload(source, "in/here/table.csv")
        result = await session.run("print(open('in/here/table.csv', 'rb').read()); open('out.txt', 'w').write('made')")
        assert "b'a,b\\n1,\\xff\\n'\n" in result.text
        assert await files.download("out.txt") == b"made"
        assert {"in/here/table.csv", "out.txt"} <= set(await files.list_files())
        source.write_bytes(b"")
        await files.upload(source, "in/here/table.csv")
        assert await files.download("in/here/table.csv") == b""


async def test_a_file_of_many_pieces(server, tmp_path):
    info, _ = server
    content = os.urandom(20 * 1024 * 1024 + 1)
    source = tmp_path / "large.bin"
    source.write_bytes(content)
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.start()
        files = await file_store_of(session)
        await files.upload(source, "large.bin")
        assert await files.download("large.bin") == content


async def test_a_file_that_is_not_there(server):
    info, _ = server
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.start()
        files = await file_store_of(session)
        with pytest.raises(ConfigError, match=r"nothing\.txt"):
            await files.download("nothing.txt")


async def test_a_link_out_of_the_directory_is_not_followed_by_the_kernel(gateway, tmp_path):
    info, root = gateway
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.start()
        files = await file_store_of(session)
        with pytest.raises(ConfigError, match="leads out of the working directory"):
            await files.download("link")
    (root / "link").unlink()


async def test_moving_files_leaves_no_trace_in_the_kernel(gateway, tmp_path):
    source = tmp_path / "a"
    source.write_text("x")
    async with AsyncSession(RemoteKernel(gateway[0])) as session:
        before = (await session.run("print(sorted(globals()))")).outputs
        files = await file_store_of(session)
        await files.upload(source, "a")
        await files.list_files()
        after = await session.run("print(sorted(globals()))")
        names = {name for name in after.text.split("'") if not name.startswith(("_", ","))}
        assert names - {name for output in before for name in output.text.split("'")} == set()


async def test_a_working_directory_below_the_root(local_server, tmp_path):
    info, root = local_server
    (root / "below").mkdir()
    source = tmp_path / "a"
    source.write_text("x")
    async with AsyncSession(RemoteKernel(info, path="below")) as session:
        await session.start()
        files = await file_store_of(session)
        await files.upload(source, "a")
        assert (await session.run("print(open('a').read())")).text == "x\n"
        assert await files.list_files() == ["a"]


async def test_a_kernel_of_another_language_on_a_server_without_files(gateway):
    async with AsyncSession(RemoteKernel(gateway[0], "bash")) as session:
        await session.start()
        with pytest.raises(ConfigError, match="a kernel of bash cannot be asked for them"):
            await file_store_of(session)
