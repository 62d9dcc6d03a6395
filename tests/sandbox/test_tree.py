"""Going through, measuring and removing what hostile code leaves behind."""

import os
from pathlib import Path

import pytest

from cellblock.kernels.sandbox.guard import disk_use
from cellblock.kernels.sandbox.tree import DEEPEST, TooDeep, folders, prune, remove
from sandbox.as_user import run_as_user


def _nest(top, levels):
    here = Path.cwd()
    os.chdir(top)
    try:
        for _ in range(levels):
            Path("deeper").mkdir()
            os.chdir("deeper")
    finally:
        os.chdir(here)


def test_folders_beyond_any_path_are_removed(tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    _nest(top, 3000)
    (top / ".moved-0").write_text("a name that removing might take")
    remove(top)
    assert not top.exists()


def test_going_down_has_an_end(tmp_path):
    _nest(tmp_path, DEEPEST + 5)
    with pytest.raises(TooDeep):
        list(folders(tmp_path))


def test_pruning_leaves_what_is_not_too_deep(tmp_path):
    _nest(tmp_path, DEEPEST + 50)
    (tmp_path / "kept").write_text("x")
    prune(tmp_path)
    assert len(list(folders(tmp_path))) == DEEPEST
    assert (tmp_path / "kept").exists()


def test_links_are_not_gone_through(tmp_path):
    (tmp_path / "top").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "other")
    assert [str(folder.path) for folder in folders(tmp_path / "top")] == ["."]


def test_use_counts_blocks_and_each_file_once(tmp_path):
    empty = disk_use(tmp_path).used
    (tmp_path / "data").write_bytes(b"x" * 1_000_000)
    os.link(tmp_path / "data", tmp_path / "again")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    assert 1_000_000 <= disk_use(tmp_path).used - empty < 1_100_000


def test_an_empty_file_counts_as_one_block(tmp_path):
    for number in range(10):
        (tmp_path / str(number)).touch()
    assert disk_use(tmp_path).used == 10 * 4096


_CLOSED = """
import os, tempfile
from pathlib import Path
from cellblock.kernels.sandbox.guard import disk_use
from cellblock.kernels.sandbox.tree import remove
top = Path(tempfile.mkdtemp())
inner = top / "closed" / "inner"
inner.mkdir(parents=True)
(inner / "data").write_bytes(b"x" * 1_000_000)
for folder in (inner, inner.parent):
    folder.chmod(0)
print(disk_use(top).used > 1_000_000)
(inner.parent).chmod(0)
remove(top)
print(top.exists())
"""


def test_closed_folders_hide_nothing_and_are_removed():
    assert run_as_user("-c", _CLOSED, timeout=30).split() == ["True", "False"]


def test_a_closed_top_folder_is_gone_through_and_read_by_its_owner():
    program = """
import os, sys, tempfile
from pathlib import Path
from cellblock.kernels.sandbox.workspace import Workspace
with tempfile.TemporaryDirectory() as folder:
    Path(folder, "file").write_text("x")
    for look in (lambda: Workspace(folder).names(), lambda: Workspace(folder).read("file")):
        os.chmod(folder, 0)
        print(look())
"""
    assert run_as_user("-c", program, timeout=60).splitlines() == ["['file']", "b'x'"]
