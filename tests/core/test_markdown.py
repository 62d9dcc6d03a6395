from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellblock._core.markdown import extract_blocks, infer_language


def codes(text: str) -> list[tuple[str, str]]:
    return [(block.language, block.code) for block in extract_blocks(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\nprint(1)\n```\n", [("python", "print(1)")]),
        ("```\nprint(1)\n```", [("", "print(1)")]),
        ("~~~python\na = '```'\n~~~", [("python", "a = '```'")]),
        ('````python\ns = """\n```\nnot the end\n```\n"""\n````', [("python", 's = """\n```\nnot the end\n```\n"""')]),
        ("````markdown\n```python\nx\n```\n````", [("markdown", "```python\nx\n```")]),
        ("  ```python\n  if x:\n      y\n  ```", [("python", "if x:\n    y")]),
        ("1. first\n\n   ```python\n   x = 1\n\n   y = 2\n   ```\n\n2. second", [("python", "x = 1\n\ny = 2")]),
        ("> ```python\n> x = 1\n>\n> y = 2\n> ```", [("python", "x = 1\n\ny = 2")]),
        ("```python\r\na\r\nb\r\n```\r\n", [("python", "a\nb")]),
        ("\ufeff```python\nx\n```", [("python", "x")]),
        ("```python\n```", [("python", "")]),
        ("```python\n\n\n```", [("python", "\n")]),
        ("```python\na\x0cb\u2028c\n```", [("python", "a\x0cb\u2028c")]),
        ("```python\na\x00b\n```", [("python", "a\ufffdb")]),
        ("    ```python\n    not a fence\n    ```", []),
        ("inline ```python x``` code", []),
        ("no code at all", []),
        ("", []),
    ],
)
def test_fences_by_commonmark(text: str, expected: list[tuple[str, str]]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("info", "language", "classes", "attributes"),
    [
        ("python", "python", set(), {}),
        ("Python3", "python", set(), {}),
        ("ipython", "python", set(), {}),
        ("py", "python", set(), {}),
        ("JavaScript", "javascript", set(), {}),
        ("  python  ", "python", set(), {}),
        ('python title="a b.py" {.cls #id}', "python", {"cls"}, {"title": "a b.py"}),
        ("python .noeval", "python", {"noeval"}, {}),
        ("python noeval", "python", {"noeval"}, {}),
        ("{python}", "python", set(), {}),
        ("{.python}", "python", set(), {}),
        ("{.python .noeval key='v w'}", "python", {"noeval"}, {"key": "v w"}),
        ("{python, echo=FALSE, label}", "python", {"label"}, {"echo": "FALSE"}),
        ("{code-cell} ipython3", "python", set(), {}),
        ("python,ignore", "python", {"ignore"}, {}),
        ("python:app.py", "python", {"app.py"}, {}),
        ("c++", "c++", set(), {}),
        ("C#", "c#", set(), {}),
        ('title="x"', "", set(), {"title": "x"}),
        ("python empty=", "python", set(), {"empty": ""}),
        ("", "", set(), {}),
        ("{", "", set(), {}),
    ],
)
def test_info_strings(info: str, language: str, classes: set[str], attributes: dict[str, str]) -> None:
    (block,) = extract_blocks(f"~~~{info}\nx\n~~~")
    assert (block.language, block.classes, block.attributes) == (language, classes, attributes)
    assert block.info == info.strip()


@pytest.mark.parametrize(
    ("content", "code", "classes", "attributes"),
    [
        (":tags: [a, raises-exception]\n:name: x\n\nx = 1", "x = 1", {"a", "raises-exception"},
         {"tags": "[a, raises-exception]", "name": "x"}),
        (":tags: a\nx = 1", "x = 1", {"a"}, {"tags": "a"}),
        ("---\ntags:\n- a\n- b-c\nname: x\n---\nx = 1\n\ny", "x = 1\n\ny", {"a", "b-c"}, {"tags": "a  b-c", "name": "x"}),
        (":linenos:", "", set(), {"linenos": ""}),
        ("x = 1\n:tags: a", "x = 1\n:tags: a", set(), {}),
        ("---\nx", "---\nx", set(), {}),
        ("\nx", "\nx", set(), {}),
    ],
)  # fmt: skip
def test_the_options_of_a_myst_directive(
    content: str, code: str, classes: set[str], attributes: dict[str, str]
) -> None:
    (block,) = extract_blocks(f"```{{code-cell}} python\n{content}\n```")
    assert (block.code, block.classes, block.attributes, block.closed) == (code, classes, attributes, True)
    (plain,) = extract_blocks(f"```python\n{content}\n```")
    assert (plain.code, plain.attributes) == (content, {})


@pytest.mark.parametrize(
    ("text", "lines", "closed", "nested"),
    [
        ("a\n\n```py\nx\n```\n", (3, 5), True, False),
        ("```py\nx\n\nmore", (1, 4), False, False),
        ("```py\nx\n\n", (1, 3), False, False),
        ("```py", (1, 1), False, False),
        ("```py\n```", (1, 2), True, False),
        ("```py\n~~~\n``", (1, 3), False, False),
        ("> ```py\n> a\nafter", (1, 2), False, True),
        ("- ```py\n  a\n- b", (1, 2), False, True),
        ("- ```py\n  a\n  ```\n- b", (1, 3), True, True),
    ],
)
def test_lines_and_cut_off_blocks(text: str, lines: tuple[int, int], closed: bool, nested: bool) -> None:
    (block,) = extract_blocks(text)
    assert ((block.line, block.end_line), block.closed, block.nested) == (lines, closed, nested)


@given(
    code=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")),
    marker=st.sampled_from(["````````", "~~~~~~~~"]),
    before=st.sampled_from(["", "text\n", "# title\n\n", "- list\n\n"]),
)
def test_any_code_comes_back_verbatim(code: str, marker: str, before: str) -> None:
    fence = marker[0] * (max(8, code.count(marker[0]) + 1))
    (block,) = extract_blocks(f"{before}{fence}python\n{code}\n{fence}\n")
    assert (block.code, block.closed) == (code, True)
    (cut,) = extract_blocks(f"{before}{fence}python\n{code}x")
    assert not cut.closed


@given(st.text(st.sampled_from(list("`~ \n>-1.pyx{}=\"'#\t"))))
def test_no_text_breaks_it(text: str) -> None:
    for block in extract_blocks(text):
        assert 1 <= block.line <= block.end_line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("pip install x", "sh"),
        ("python -m this", "sh"),
        ("python3 a.py", "sh"),
        ("x = 1", "python"),
        ('re.compile("\\d")', "python"),
        ("echo hello world", ""),
        ("a\0b", ""),
        ("(" * 100_000, ""),
        ("", "python"),
    ],
)
def test_inferred_language(code: str, language: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert infer_language(code) == language
    assert caught == []


def test_the_parser_is_imported_on_use() -> None:
    code = "import cellblock._core.markdown, sys; print('markdown_it' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
