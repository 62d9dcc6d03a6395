"""Files into and out of a workspace: nothing that the code puts there leads outside, blocks, or is read by mistake."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from cellblock.errors import ConfigError
from cellblock.kernels.sandbox.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    return Workspace(folder)


@pytest.fixture
def outside(tmp_path):
    file = tmp_path / "outside"
    file.write_text("secret")
    return file


def test_a_file_is_read_and_copied(workspace, tmp_path):
    (workspace.folder / "results").mkdir()
    (workspace.folder / "results" / "table.csv").write_text("1,2")
    assert workspace.read("results/table.csv") == b"1,2"
    copy = workspace.download("results/table.csv", tmp_path / "copy.csv")
    assert copy.read_text() == "1,2"
    assert workspace.names() == ["results/table.csv"]


def test_a_workspace_is_the_directory_that_a_link_leads_to(workspace, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(workspace.folder)
    files = Workspace(link)
    link.unlink()
    link.symlink_to("/etc")  # too late
    files.upload(b"1,2", "table.csv")
    assert (files.names(), workspace.read("table.csv")) == (["table.csv"], b"1,2")


@pytest.mark.parametrize("name", ["none", "outside"])
def test_what_is_no_directory_is_no_workspace(outside, name):
    assert outside.exists()
    with pytest.raises(ConfigError, match=f"must be an existing directory, and .*{name} is none"):
        Workspace(outside.with_name(name))


def test_a_copy_replaces_nothing(workspace, outside):
    (workspace.folder / "x").write_text("new")
    with pytest.raises(ConfigError, match="is there already"):
        workspace.download("x", outside)
    assert outside.read_text() == "secret"


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", "", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(workspace, outside, name):
    assert outside.exists()
    for act in (workspace.read, lambda name: workspace.upload(b"x", name)):
        with pytest.raises(ConfigError):
            act(name)


def test_links_are_not_followed(workspace, outside):
    (workspace.folder / "link").symlink_to(outside)
    (workspace.folder / "folder").symlink_to(outside.parent)
    for name in ("link", "folder/outside"):
        with pytest.raises(ConfigError):
            workspace.read(name)
    assert workspace.names() == []


def test_a_second_name_of_a_file_is_not_read(workspace, outside):
    os.link(outside, workspace.folder / "second")
    with pytest.raises(ConfigError, match="more than one name"):
        workspace.read("second")


def test_pipes_sockets_and_devices_are_refused_at_once(workspace):
    os.mkfifo(workspace.folder / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(workspace.folder / "socket"))
    (workspace.folder / "zeros").symlink_to("/dev/zero")
    began = time.monotonic()
    for name in ("pipe", "socket", "zeros"):
        with pytest.raises(ConfigError):
            workspace.read(name)
    assert time.monotonic() - began < 1


def test_a_file_larger_than_allowed_is_refused_and_leaves_no_copy(workspace, tmp_path):
    with (workspace.folder / "big").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(ConfigError, match=r"'big' in the workspace is larger than 1 MiB. Allow more with most="):
        workspace.download("big", tmp_path / "copy", most=2**20)
    assert not (tmp_path / "copy").exists()


def test_an_upload_replaces_a_link_and_not_what_it_points_to(workspace, outside):
    (workspace.folder / "data").symlink_to(outside)
    workspace.upload(b"mine", "data")
    assert outside.read_text() == "secret"
    assert (workspace.folder / "data").read_bytes() == b"mine"


def test_an_upload_goes_through_no_link(workspace, outside):
    (workspace.folder / "folder").symlink_to(outside.parent)
    with pytest.raises(ConfigError):
        workspace.upload(b"mine", "folder/outside")
    assert outside.read_text() == "secret"


def test_an_upload_makes_the_folders_on_the_way(workspace, outside):
    workspace.upload(outside, "a/b/c.txt")
    assert workspace.read("a/b/c.txt") == b"secret"


def test_an_upload_over_a_folder_says_so_and_leaves_nothing(workspace):
    (workspace.folder / "data").mkdir()
    with pytest.raises(ConfigError, match="data cannot be written"):
        workspace.upload(b"x", "data")
    assert [entry.name for entry in workspace.folder.iterdir()] == ["data"]


def test_a_folder_that_becomes_a_link_meanwhile_is_never_followed(workspace, outside):
    real, link = workspace.folder / "folder", workspace.folder / "other"
    real.mkdir()
    (real / "outside").write_text("harmless")
    link.symlink_to(outside.parent)
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            for source, target in (("folder", "third"), ("other", "folder"), ("folder", "other"), ("third", "folder")):
                (workspace.folder / source).rename(workspace.folder / target)

    swapping = threading.Thread(target=swap)
    swapping.start()
    read = set()
    try:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            try:
                read.add(workspace.read("folder/outside"))
            except ConfigError:
                continue
    finally:
        stop.set()
        swapping.join()
    assert read == {b"harmless"}


def test_names_of_endless_folders_are_not_listed(workspace):
    here = Path(workspace.folder)
    for _ in range(200):
        here = here / "d"
        here.mkdir()
    with pytest.raises(ConfigError, match="nested too deep"):
        workspace.names()
