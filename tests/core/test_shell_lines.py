"""Which lines of a shell block are IPython's: those at which a command could begin, and no others."""

import pytest

from cellblock._core.shell_lines import Part, split_block

LINE = "!echo of IPython's"


def parts(code):
    return [(part.text, part.ipython) for part in split_block(code)]


@pytest.mark.parametrize(
    "code",
    [
        "! test -e nothing && echo none",
        "echo a\n  !indented",
        "%1",
        "printf '\n%s\n' abc",
        "date '+\n%Y'",
        'echo "\n!no\n"',
        'echo "a $(echo "b\n!no\n")"',
        "echo $'it\\'s\n!no'",
        "echo `echo '\n!no\n'`",
        "echo a \\\n!no",
        "(\n!no\n)",
        "x=$(\n%no\n)",
        "echo ${x:-\n%no\n}",
        "echo $((1 +\n%no))",
        "cat <<EOF\n!not a command\n%nor this\nEOF",
        "cat <<-'END'\n!no\n\tEND",
        "cat <<\\END\n!no\nEND",
        'cat <<E"N"D\n!no\nEND',
        "cat <<A <<B\n!no\nA\n%no\nB",
        "cat <<EOF\n!no\n EOF\n!no",
        "cat <<EOF\n!never closed",
        "echo $(cat <<EOF\n!no\nEOF\n)",
        "echo 'never closed\n!no",
        "echo a\x0c!no",
        "echo a\u2028!no",
        "echo a\x85%no",
    ],
)
def test_lines_that_are_the_shells_go_to_it_whole(code):
    assert parts(code) == [(code, False)]


@pytest.mark.parametrize(
    "before",
    [
        "echo a",
        "echo 'a\nb'",
        "cat <<< word",
        "echo $((1<<x))",
        "((x = 1<<y))",
        "# it's a comment with (",
        "echo a # it's",
        "echo a#'b'",
        "echo $# ${#x}",
        "echo \\' \\\"",
        'echo "it\'s" "${x:-it\'s}"',
        "case x in\n a) echo;;\nesac",
        "cat <<EOF\nit's\nEOF",
        "cat <<-EOF\n\tit's\n\tEOF",
        "(echo a)",
        "x=`echo a`",
        "diff <(echo a) <(echo b)",
        "[[ a =~ b ]]",
        "echo $((16#ff))",
    ],
)
def test_after_what_is_closed_the_lines_are_ipythons_again(before):
    assert parts(f"{before}\n{LINE}\necho b") == [(before, False), (LINE, True), ("echo b", False)]


def test_the_quotes_of_ipythons_lines_are_not_the_shells():
    assert parts("!echo it's\n%time 1\necho a") == [("!echo it's", True), ("%time 1", True), ("echo a", False)]


def test_a_continued_line_of_ipythons_is_one():
    assert parts("!pip install \\\n  a\necho a") == [("!pip install \\\n  a", True), ("echo a", False)]


@pytest.mark.parametrize("code", ["", "\n\n", "   "])
def test_nothing_has_no_parts(code):
    assert list(split_block(code)) == []


def test_the_last_line_needs_no_line_break():
    assert list(split_block("!a")) == [Part("!a", ipython=True)]


def test_a_large_script_takes_no_time_to_speak_of():
    code = "echo 'text with ( and \" in it' # comment\n" * 50_000
    assert parts(code) == [(code.removesuffix("\n"), False)]
