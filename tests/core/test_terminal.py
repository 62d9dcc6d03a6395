"""What a terminal would show, against a terminal written a character at a time and against recorded programs."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import track

from cellblock._core.terminal import screen_text

HEIGHT = 100
MOVES = "ABCDFGJK"


def reference(text: str) -> str:
    """The same terminal with no eye on speed: one character at a time, lists of cells, no regular expression."""
    text = "".join("\x1b" + chr(ord(c) - 0x40) if "\x80" <= c <= "\x9f" else c for c in text)
    rows, top, row, column, i = [[]], 0, 0, 0, 0
    while i < len(text):
        char = text[i]
        i += 1
        if char == "\x1b":
            final, number, i = escape(text, i)
            if final:
                row, column = moved(rows, top, row, column, final, number)
        elif char == "\n":
            row, column = row + 1, 0
            if row == len(rows):
                rows.append([])
                top = max(top, len(rows) - HEIGHT)
        elif char == "\r":
            column = 0
        elif char == "\b":
            column = max(column - 1, 0)
        elif char == "\t" or (char >= " " and char != "\x7f"):
            rows[row][column : column + 1] = [char]
            column += 1
    return "\n".join("".join(cells) for cells in rows)


def escape(text: str, i: int) -> tuple[str, int | None, int]:
    """Reads behind an ESC: a movement's final character and number, if it is one, and where the text goes on."""
    kind = text[i : i + 1]
    if kind == "[":
        start = i = i + 1
        while i < len(text) and "0" <= text[i] <= "?":
            i += 1
        parameter, between = text[start:i], i
        while i < len(text) and " " <= text[i] <= "/":
            i += 1
        final = text[i : i + 1]
        if not "@" <= final <= "~":
            return "", None, i
        is_move = final in MOVES and between == i and len(parameter) <= 6 and all(c in "0123456789" for c in parameter)
        return (final if is_move else ""), (int(parameter) if is_move and parameter else None), i + 1
    if kind and kind in "PX^_]":
        end = next((j for j in range(i + 1, len(text)) if text[j] in "\x07\x1b"), None)
        if end is not None and text[end] == "\x07":
            return "", None, end + 1
        if end is not None and text[end : end + 2] == "\x1b\\":
            return "", None, end + 2
        return "", None, i + 1
    while i < len(text) and " " <= text[i] <= "/":
        i += 1
    return "", None, i + ("0" <= text[i : i + 1] <= "~")


def moved(rows: list[list[str]], top: int, row: int, column: int, final: str, number: int | None) -> tuple[int, int]:
    count = number or 1
    if final == "K":
        if not number:
            del rows[row][column:]
        elif number == 1:
            blank = min(column + 1, len(rows[row]))
            rows[row][:blank] = [" "] * blank
        elif number == 2:
            rows[row].clear()
    elif final == "J" and not number:
        del rows[row][column:], rows[row + 1 :]
    elif final in "AF":
        row = max(row - count, top)
    elif final == "B":
        row = min(row + count, len(rows) - 1)
    column = {"C": column + count, "D": column - count, "F": 0, "G": count - 1}.get(final, column)
    return row, min(max(column, 0), len(rows[row]))


pieces = [
    *"ab\n\r\b\t\x1b[\x00\x9b\x07é中😀 0;m",
    *("word", "\r\n", "\n" * 120, "line\n" * 250),
    *("\x1b[A", "\x1b[3A", "\x1b[150A", "\x1b[B", "\x1b[2C", "\x1b[D", "\x1b[F", "\x1b[4G"),
    *("\x1b[J", "\x1b[2J", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x9b2K"),
    *("\x1b[31m", "\x1b[?25l", "\x1b[1;2A", "\x1b]0;title\x07", "\x1b]8;;url\x1b\\", "\x1bP1\x1b\\", "\x1b(B"),
]
written = st.one_of(st.text(), st.lists(st.sampled_from(pieces), max_size=30).map("".join))


@given(written)
def test_equals_a_terminal_that_goes_character_by_character(text):
    assert screen_text(text) == reference(text)


@given(written)
def test_leaves_no_control_character_but_newline_and_tab(text):
    left = screen_text(text)
    assert not [c for c in left if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]


@given(written)
def test_a_second_time_changes_nothing(text):
    once = screen_text(text)
    assert screen_text(once) == once


@given(written)
def test_never_grows(text):
    assert len(screen_text(text)) <= len(text)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_text_without_control_characters_is_given_back_itself(text):
    assert screen_text(text) is text


@given(st.text(st.characters(min_codepoint=0xD700, max_codepoint=0xE100)))
def test_lone_surrogates_are_replaced_so_that_it_encodes(text):
    assert not [c for c in screen_text(text).encode().decode() if "\ud800" <= c <= "\udfff"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("10%\r20%\r100%\n", "100%\n"),
        ("downloading\rdone", "doneloading"),
        ("downloading\r\x1b[Kdone", "done"),
        ("abc\b\bX", "aXc"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;window title\x07text", "text"),
        ("\x1b]never ended", "never ended"),
        ("a\x00b\x0bc\x0cd\x7fe", "abcde"),
        ("kept\ta\ud800b", "kept\ta\ufffdb"),
        ("first\nsecond\x1b[A\rFIRST", "FIRST\nsecond"),
        ("before\x1b[2J\x1b[Hafter", "beforeafter"),
        ("\x1b[9999999999999999999999C", ""),
    ],
)
def test_what_is_shown(written, shown):
    assert screen_text(written) == shown


def test_nested_progress_bars_end_as_they_stand():
    """Recorded from two nested ``tqdm`` loops, the inner one with ``leave=False``, between two lines."""
    written = (
        "start\n\repochs: 0/2\n\rbatches: 0/2\x1b[A\n\rbatches: 1/2\x1b[A\n\rbatches: 2/2\x1b[A\n\r            \x1b[A\r"
        "epochs: 1/2\n\rbatches: 0/2\x1b[A\n\rbatches: 1/2\x1b[A\n\rbatches: 2/2\x1b[A\n\r            \x1b[A\r"
        "epochs: 2/2\repochs: 2/2\nend\n"
    )
    assert screen_text(written) == "start\nepochs: 2/2\nend         \n"  # the inner bar was wiped with blanks


def test_a_rich_progress_display_ends_as_it_stands():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=60)
    for step in track(range(3), console=console, description="work"):
        console.print(f"step {step}")
    lines = screen_text(screen.getvalue()).splitlines()
    assert [line.rstrip() for line in lines[:-1]] == ["step 0", "step 1", "step 2"]
    assert lines[-1].startswith("work")
    assert "100%" in lines[-1]
