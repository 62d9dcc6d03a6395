"""Files in and out: through a kernel of Python, never out of its directory; for others the contents API, if there is one."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from cellblock._core.file_names import checked_name
from cellblock.coding.jupyter.file_store import KernelFiles, file_store_of
from cellblock.errors import ConfigError
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.local import LocalJupyterServer
from cellblock.session import AsyncSession
from cellblock.transports.contents import ContentsFiles
from servers.stock import stock_gateway, stock_server

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


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    root = tmp_path_factory.mktemp("stock")
    with stock_server(root) as server:
        yield server.info, root


@pytest.fixture(scope="module", params=["local_server", "gateway"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", OUTSIDE)
async def test_names_that_lead_elsewhere_are_refused(name):
    with pytest.raises(ConfigError, match="named from the kernel's working directory"):
        checked_name(name)


async def test_a_kernel_of_python_moves_its_files_itself_on_every_server(server):
    async with AsyncSession(RemoteKernel(server[0])) as session:
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


async def test_a_link_out_of_the_directory_is_not_followed(server, tmp_path):
    info, root = server
    (tmp_path / "secret").write_text("secret")
    links = root / "links"
    links.mkdir()
    (links / "inside.txt").write_text("x")
    (links / "link").symlink_to(tmp_path / "secret")
    (links / "folder").symlink_to(tmp_path)
    (links / "circle").symlink_to(".")
    (links / "same").symlink_to("inside.txt")
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.run("import os; os.chdir('links')")
        files = await file_store_of(session)
        for name in ("link", "folder/secret"):
            with pytest.raises(ConfigError, match="leads out of the working directory"):
                await files.download(name)
            with pytest.raises(ConfigError, match="leads out of the working directory"):
                await files.upload(tmp_path / "secret", name)
        assert await files.list_files() == ["inside.txt", "same"]
        assert await files.download("same") == b"x"


async def test_what_is_no_regular_file_is_refused_at_once(server):
    info, root = server
    os.mkfifo(root / "pipe")
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.start()
        files = await file_store_of(session)
        with pytest.raises(ConfigError, match="pipe is no regular file"):
            await files.download("pipe")
        assert "pipe" not in await files.list_files()


async def test_a_hidden_file_can_be_moved_and_is_not_listed(server, tmp_path):
    info, _ = server
    (tmp_path / "a").write_text("x")
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.start()
        files = await file_store_of(session)
        await files.upload(tmp_path / "a", ".hidden/.a")
        assert await files.download(".hidden/.a") == b"x"
        assert not [name for name in await files.list_files() if "hidden" in name]


async def test_many_folders_are_listed(server):
    info, _ = server
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.run("import os\nfor i in range(1100): os.makedirs(f'many/{i}')\nopen('many/7/z', 'w').close()")
        assert "many/7/z" in await (await file_store_of(session)).list_files()


async def test_an_upload_touches_no_file_but_its_own(gateway, tmp_path):
    info, root = gateway
    (root / "table.csv.part").write_text("precious")
    (tmp_path / "a").write_text("x")
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.start()
        await (await file_store_of(session)).upload(tmp_path / "a", "table.csv")
    assert (root / "table.csv").read_text() == "x"
    assert (root / "table.csv.part").read_text() == "precious"


async def test_an_upload_that_fails_in_the_kernel_leaves_nothing(gateway, tmp_path):
    info, root = gateway
    (root / "taken").mkdir()
    (tmp_path / "a").write_text("x")
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.start()
        files = await file_store_of(session)
        before = set(root.iterdir())
        with pytest.raises(ConfigError, match="taken is a folder"):
            await files.upload(tmp_path / "a", "taken")
        await session.run("import pathlib; pathlib.Path.replace = lambda *_: 1 / 0")
        with pytest.raises(ConfigError, match="ZeroDivisionError"):
            await files.upload(tmp_path / "a", "new")
    assert set(root.iterdir()) == before


class FailingDisk(io.BytesIO):
    """A file that can be read up to its third piece; remembers what is in a folder then."""

    def __init__(self, folder):
        super().__init__(bytes(12 * 1024 * 1024))
        self.folder, self.seen = folder, []

    def read(self, size):
        if self.tell() == 8 * 1024 * 1024:
            self.seen = [file.name for file in self.folder.glob(".*.part")]
            raise OSError("the disk is gone")
        return super().read(size)


class OnFailingDisk(type(Path())):
    """The path of such a file."""

    def open(self, *_):
        return self.disk


async def test_an_upload_that_fails_here_leaves_nothing_there(gateway):
    info, root = gateway
    source = OnFailingDisk("table.csv")
    source.disk = FailingDisk(root)
    async with AsyncSession(RemoteKernel(info)) as session:
        await session.start()
        before = set(root.iterdir())
        with pytest.raises(OSError, match="the disk is gone"):
            await (await file_store_of(session)).upload(source, "table.csv")
    assert len(source.disk.seen) == 1
    assert set(root.iterdir()) == before


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


async def test_a_kernel_of_another_language_has_its_files_moved_by_the_server(stock, tmp_path):
    info, root = stock
    (root / "below").mkdir()
    source = tmp_path / "a"
    source.write_text("x")
    async with AsyncSession(RemoteKernel(info, "bash", path="below")) as session:
        await session.start()
        files = await file_store_of(session)
        assert isinstance(files, ContentsFiles)
        await files.upload(source, "in/a")
        assert (await session.run("cat in/a")).text == "x\n"
        await session.run("printf made > out.txt")
        assert await files.download("out.txt") == b"made"
        assert await files.list_files() == ["in/a", "out.txt"]
        content = os.urandom(20 * 1024 * 1024 + 1)
        source.write_bytes(content)
        await files.upload(source, "large.bin")
        assert await files.download("large.bin") == content
        with pytest.raises(ConfigError, match=r"nothing\.txt"):
            await files.download("nothing.txt")
        with pytest.raises(ConfigError, match=r"'below/\.hidden' and refused: Cannot create file"):
            await files.upload(source, ".hidden")
        with pytest.raises(ConfigError, match=r"'below/in' and refused: .* is a directory, not a file"):
            await files.download("in")


async def test_a_folder_that_the_server_lists_may_have_many_folders(stock):
    info, root = stock
    for number in range(1001):
        (root / "many" / str(number)).mkdir(parents=True)
    (root / "many" / "7" / "z").write_text("")
    async with AsyncSession(RemoteKernel(info, "bash", path="many")) as session:
        await session.start()
        assert await (await file_store_of(session)).list_files() == ["7/z"]


async def test_a_kernel_of_another_language_on_a_server_without_files(gateway):
    async with AsyncSession(RemoteKernel(gateway[0], "bash")) as session:
        await session.start()
        with pytest.raises(ConfigError, match="a kernel of bash cannot be asked for them"):
            await file_store_of(session)
