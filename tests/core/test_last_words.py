"""What a dead kernel wrote last: written by the kernel's side, read by ours."""

import importlib
import mmap
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellblock._core.last_words import SIZE, Written, read_last_words
from cellblock.kernels.launch import PROGRAM


@pytest.fixture(scope="module")
def kernels_side():
    """The kernel's module, which its program imports by its bare name."""
    sys.path.insert(0, str(PROGRAM))
    yield importlib.import_module("cellblock_streams")
    sys.path.remove(str(PROGRAM))


def written(kernels_side, said):
    """The memory after pieces of (stream, request, text) were written."""
    with mmap.mmap(-1, SIZE) as memory:
        sides = [kernels_side.LastWords(memory, index * kernels_side.REGION) for index in range(2)]
        for stream, request, text in said:
            sides[stream].add(request, text)
        return bytes(memory)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(said=st.lists(st.tuples(st.sampled_from([0, 1]), texts), max_size=20))
def test_what_the_kernel_wrote_is_read(kernels_side, said):
    memory = written(kernels_side, [(stream, "request", text) for stream, text in said])
    found = read_last_words(memory, "request")
    for index, name in enumerate(("stdout", "stderr")):
        text = "".join(text for stream, text in said if stream == index)
        assert found.get(name, Written(0, "")) == Written(len(text), text)


@given(pieces=st.lists(st.integers(0, 30_000), min_size=1, max_size=8), received=st.integers(0, 100_000))
def test_of_much_text_the_end_is_kept(kernels_side, pieces, received):
    said, at = [], 0
    for length in pieces:
        said.append("".join(chr(0x4E00 + (at + i) % 5000) if i % 3 else "x" for i in range(length)))
        at += length
    text = "".join(said)
    memory = written(kernels_side, [(0, "r", piece) for piece in said])
    found = read_last_words(memory, "r")["stdout"]
    assert found.characters == len(text)
    assert text.endswith(found.tail)
    assert len(found.tail) >= min(len(text), 8000)
    unsent = found.beyond(received)
    assert text[received:].endswith(unsent)
    assert (unsent == "") is (received >= len(text) or not found.tail)


def test_each_request_starts_afresh(kernels_side):
    memory = written(kernels_side, [(0, "first", "old words"), (1, "first", "problem"), (0, "second", "new")])
    assert read_last_words(memory, "second") == {"stdout": Written(3, "new")}
    assert read_last_words(memory, "first") == {"stderr": Written(7, "problem")}
    assert read_last_words(memory, "third") == {}


def test_text_that_cannot_be_encoded_is_kept_as_far_as_it_can(kernels_side):
    assert read_last_words(written(kernels_side, [(0, "r", "a\ud800b")]), "r") == {"stdout": Written(3, "a?b")}


@pytest.mark.parametrize("memory", [b"", b"\0" * (SIZE - 1), b"\0" * SIZE, b"\xff" * SIZE])
def test_memory_that_holds_nothing_of_use_gives_nothing(memory):
    assert read_last_words(memory, "request") == {}


def test_nothing_is_beyond_what_has_all_arrived():
    assert Written(5, "hello").beyond(5) == ""
    assert Written(5, "hello").beyond(7) == ""
    assert Written(5, "hello").beyond(3) == "lo"
    assert Written(100, "hello").beyond(3) == "hello"  # what came between is lost
