"""The file that keeps the whole of an output."""

import contextlib
import resource
import tempfile
from pathlib import Path

import pytest

from cellblock.spool import FileSpool


@contextlib.contextmanager
def disk_full_after(size):
    """Files of this process cannot grow past a size, which fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_file_has_everything_as_it_was_written(tmp_path):
    spool = FileSpool(tmp_path)
    for text in ("one\r\n", "é\U0001f600", "", "\udce9\ud800", "two\n"):
        spool.write(text)
    spool.finish()
    assert Path(spool.location).parent == tmp_path
    assert Path(spool.location).read_bytes() == "one\r\né\U0001f600??two\n".encode()


def test_without_text_there_is_no_file(tmp_path):
    spool = FileSpool(tmp_path)
    spool.finish()
    spool.discard()
    assert (spool.location, list(tmp_path.iterdir())) == ("", [])


def test_without_a_folder_it_is_among_the_temporary_files():
    spool = FileSpool()
    spool.write("text")
    assert Path(spool.location).parent == Path(tempfile.gettempdir())
    spool.discard()
    assert not Path(spool.location).exists()


def test_only_its_owner_may_read_it(tmp_path):
    spool = FileSpool(tmp_path)
    spool.write("text")
    spool.finish()
    assert Path(spool.location).stat().st_mode & 0o077 == 0


def test_what_comes_after_the_end_is_not_taken(tmp_path):
    spool = FileSpool(tmp_path)
    spool.write("text")
    spool.finish()
    spool.write("more")
    assert Path(spool.location).read_text() == "text"


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_full_disk_is_told_and_leaves_no_file(tmp_path, size):
    """Small texts fail only when the file is closed."""
    spool = FileSpool(tmp_path)
    with disk_full_after(50):
        spool.write("x" * size)
        spool.write("y" * size)
        spool.finish()
    assert spool.failure == "The whole output could not be kept in a file: [Errno 27] File too large."
    assert (spool.location, list(tmp_path.iterdir())) == ("", [])


def test_a_folder_that_is_not_there_is_told(tmp_path):
    spool = FileSpool(tmp_path / "missing")
    spool.write("text")
    assert spool.failure.startswith("The whole output could not be kept in a file: [Errno 2] No such file or directory")
    assert spool.location == ""
