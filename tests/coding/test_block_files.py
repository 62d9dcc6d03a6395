"""What is changed in a block before it is written."""

import pytest

from cellblock.coding.block_files import silence_pip
from cellblock.coding.command import KeptText


@pytest.mark.parametrize(
    ("language", "code", "silenced"),
    [
        ("python", "!pip install a b", "!pip install -qqq a b"),
        ("python", "! pip install a", "! pip install -qqq a"),
        ("python", "pip install a", "pip install a"),
        ("python", "x = 1\n!pip install a\ny = 2", "x = 1\n!pip install -qqq a\ny = 2"),
        ("sh", "pip install a\npip install b", "pip install -qqq a\npip install -qqq b"),
        ("ps1", "pip install -qqq a", "pip install -qqq a"),
        ("sh", "  pip install a", "  pip install a"),
        ("javascript", "pip install a", "pip install a"),
    ],
)
def test_silence_pip(language, code, silenced):
    assert silence_pip(code, language) == silenced


def test_kept_text_keeps_all_within_its_limit():
    kept = KeptText(limit=10)
    for chunk in (b"01234", b"56", b"789"):
        kept.add(chunk)
    assert kept.text() == "0123456789"


def test_kept_text_says_what_it_left_out():
    kept = KeptText(limit=10)
    for number in range(10):
        kept.add(b"%d%d" % (number, number))
    head, note, tail = kept.text().split("\n")
    assert head == "00112"
    assert tail.endswith("8899")
    omitted = int(note.removeprefix("[").split()[0])
    assert len(head) + omitted + len(tail) == 20


def test_kept_text_has_bounded_memory_for_one_long_chunk():
    kept = KeptText(limit=10)
    kept.add(b"a" * 1000)
    kept.add(b"b" * 5)
    assert kept.text() == "aaaaa\n[995 bytes of output were left out here.]\nbbbbb"
