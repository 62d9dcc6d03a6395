"""The budget: what is kept, and that what is not is counted to the character."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellblock._core.budget import DEFAULT_BUDGET, apply_budget
from cellblock.errors import ConfigError

SENTENCE = re.compile(
    r"\n?\[([\d,]+) characters of output were left out here\.(?: The whole output is in (.+)\.)?\]\n?"
)
LINES = "".join(f"line {n}\n" for n in range(1000))


def test_text_within_its_budget_is_given_back_itself():
    assert apply_budget(LINES, len(LINES)) is LINES
    assert apply_budget("", 0) == ""


def test_the_default_keeps_a_hundred_thousand_characters():
    assert DEFAULT_BUDGET == 100_000
    assert 99_900 < len(apply_budget("x" * 1_000_000)) <= 100_000


def test_head_and_tail_are_kept_at_line_ends():
    text = apply_budget(LINES, 500, "/tmp/whole.txt")
    head, _, location, tail = SENTENCE.split(text)
    assert location == "/tmp/whole.txt"
    assert LINES.startswith(head + "\n" if not head.endswith("\n") else head)
    assert LINES.endswith("\n" + tail)
    assert tail.startswith("line ")
    assert tail.endswith("line 999\n")


def test_without_a_location_none_is_named():
    assert "whole" not in apply_budget(LINES, 500)


@given(
    st.text(st.sampled_from("ab\n"), min_size=300, max_size=2000), st.integers(0, 400), st.sampled_from(["", "/a/b"])
)
def test_what_is_left_out_is_counted_exactly(text, budget, location):
    kept = apply_budget(text, budget, location)
    if kept == text:
        assert len(text) <= budget
        return
    found = SENTENCE.search(kept)
    head, tail = kept[: found.start()], kept[found.end() :]
    left_out = int(found[1].replace(",", ""))
    # the sentence's own newlines may be the text's or ours
    assert len(text) - len(head) - len(tail) - left_out in (0, 1, 2)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(kept) <= max(budget, len(found[0]))


def test_what_was_left_out_before_is_counted_too():
    first = apply_budget("x" * 1_000_000, 10_000, "/tmp/whole.txt")
    second = apply_budget(first, 1_000)
    found = SENTENCE.search(second)
    assert found[2] == "/tmp/whole.txt"
    assert int(found[1].replace(",", "")) - (1_000_000 - len(SENTENCE.sub("", second))) in (0, 1, 2)  # newlines of ours


def test_a_budget_too_small_for_the_sentence_gives_the_sentence():
    assert apply_budget("x" * 100, 5) == "[100 characters of output were left out here.]"


def test_a_negative_budget_is_refused():
    with pytest.raises(ConfigError, match="The budget must be a number of characters, 0 or more, not -1"):
        apply_budget("text", -1)
