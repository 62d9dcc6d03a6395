"""The directory sink: names of ours, whole files or none, and never outside of its directory."""

import errno
import os
import resource
from pathlib import Path

import pytest

from cellblock.errors import ConfigError
from cellblock.files import DirectorySink


def test_a_file_is_saved_whole_under_an_absolute_path(tmp_path):
    path = Path(DirectorySink(tmp_path).save(b"data", ".png"))
    assert path.is_absolute()
    assert path.parent == tmp_path
    assert path.suffix == ".png"
    assert path.read_bytes() == b"data"
    assert list(tmp_path.iterdir()) == [path]


def test_names_are_never_used_twice(tmp_path):
    sink = DirectorySink(str(tmp_path))
    assert len({sink.save(b"", ".vl.json") for _ in range(100)}) == 100


def test_a_relative_directory_is_that_of_the_moment_the_sink_was_made(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    sink = DirectorySink("out")
    monkeypatch.chdir("/")
    assert Path(sink.save(b"data", ".png")).parent == tmp_path / "out"


def test_anybody_who_may_read_the_directory_may_read_the_file(tmp_path):
    umask = os.umask(0o022)
    try:
        path = Path(DirectorySink(tmp_path).save(b"data", ".png"))
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("extension", ["/../../x.png", "png", "", ".a/b", ".a\0", ".", ".a\n", "..png", ".\\x"])
def test_an_extension_cannot_lead_out_of_the_directory(tmp_path, extension):
    with pytest.raises(ConfigError, match=r'A file extension such as "\.png" was wanted'):
        DirectorySink(tmp_path).save(b"data", extension)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        DirectorySink(tmp_path / "gone").save(b"data", ".png")


def test_no_part_of_a_file_that_cannot_be_written_stays(tmp_path):
    """A limit on the size of files stops the write as a full disk does: part of the data is there, then OSError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            DirectorySink(tmp_path).save(b"x" * 100_000, ".png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert not list(tmp_path.iterdir())
