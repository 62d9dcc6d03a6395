"""MarkdownCodeExtractor: the code blocks of a chat message."""

import re

import pytest

from cellblock.coding.base import CodeExtractor
from cellblock.coding.markdown_code_extractor import MarkdownCodeExtractor, content_text


def extract(message):
    return [(block.language, block.code) for block in MarkdownCodeExtractor().extract_code_blocks(message)]


def test_it_is_an_extractor():
    assert isinstance(MarkdownCodeExtractor(), CodeExtractor)


def test_blocks_in_order():
    assert extract("a\n```python\nx = 1\nx\n```\nb\n``` sh\nls\n```\n") == [("python", "x = 1\nx"), ("sh", "ls")]


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("print(1)", "python"),
        ("pip install x", "sh"),
        ("python3 a.py", "sh"),
        ("using System;", ""),
    ],
)
def test_language_is_inferred_where_none_is_named(code, language):
    assert extract(f"```\n{code}\n```") == [(language, code)]


def test_windows_line_breaks():
    assert extract("```python\r\nx = 1\r\nx\r\n```\r\n") == [("python", "x = 1\nx")]


def test_message_indented_as_a_whole():
    assert extract("\n    Example:\n    ```python\n    print(1)\n    ```\n    ") == [("python", "print(1)")]


def test_lines_of_spaces_inside_a_string_stay():
    code = "x = '''a\n    \n\t\nb'''"
    assert extract(f"```python\n{code}\n```") == [("python", code)]
    indented = "\n".join(f"  {line}" for line in f"```python\n{code}\n```".split("\n"))
    assert extract(f"  text\n\n{indented}\n ") == [("python", code)]


def test_indented_fence_in_a_list():
    assert extract("1. first\n   ```python\n   if x:\n       y\n   ```\n") == [("python", "if x:\n    y")]


def test_longer_fence_holds_shorter_ones():
    assert extract("````markdown\n```python\nx\n```\n````") == [("markdown", "```python\nx\n```")]


def test_code_that_was_cut_off_is_left_out():
    assert extract("```python\nx\n```\n```python\nimport os\nos.remove(") == [("python", "x")]


@pytest.mark.parametrize("message", [None, "", "no code", []])
def test_nothing_to_extract(message):
    assert extract(message) == []


def test_parts_of_a_message():
    parts = [
        {"type": "text", "text": "look\n```python\nx\n```\n"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
    ]
    assert extract(parts) == [("python", "x")]
    assert content_text(parts) == "look\n```python\nx\n```\n<image>"


@pytest.mark.parametrize(
    ("message", "kind", "complaint"),
    [
        (7, TypeError, "A message's content is text, a list of parts or None, not int."),
        (["text"], TypeError, "Wrong content format: a part of a message is a dict, not str."),
        (
            [{"type": "audio"}],
            ValueError,
            'Wrong content format: a part of a message has the type "text" or "image_url", not \'audio\'.',
        ),
    ],
)
def test_content_of_another_kind_is_refused(message, kind, complaint):
    with pytest.raises(kind, match=f"^{re.escape(complaint)}$"):
        extract(message)
