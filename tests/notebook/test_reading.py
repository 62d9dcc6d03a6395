"""Documents from Markdown, notebooks and standard input."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from cellblock.errors import ConfigError
from cellblock.notebook.documents import Block, TextCell
from cellblock.notebook.reading import read_document

if TYPE_CHECKING:
    from pathlib import Path

    from cellblock.notebook.documents import Document


def markdown(tmp_path: Path, text: str, **options: Any) -> Document:
    path = tmp_path / "report.md"
    path.write_bytes(text.encode())
    return read_document(path, **options)


def outline(document: Document) -> list[tuple[str, str]]:
    return [(cell.language if isinstance(cell, Block) else cell.kind, cell_text(cell)) for cell in document.cells]


def cell_text(cell: Block | TextCell) -> str:
    return cell.code if isinstance(cell, Block) else cell.source


def test_text_and_blocks_in_order(tmp_path: Path) -> None:
    document = markdown(tmp_path, "# Title\r\n\r\n```python\r\nx = 1\r\n```\r\nmiddle\n\n~~~bash\nls\n~~~\n")
    assert outline(document) == [("markdown", "# Title"), ("python", "x = 1"), ("markdown", "middle"), ("bash", "ls")]
    assert [(block.number, block.line, block.cell_id) for block in document.blocks] == [
        (1, 3, "block-1"),
        (2, 8, "block-2"),
    ]
    assert (document.name, document.stem, document.directory) == ("report.md", "report", tmp_path)
    assert len({cell.cell_id for cell in document.cells}) == 4


@pytest.mark.parametrize(
    "fence",
    [
        "```toml\na = 1\n```",
        "```\nno language\n```",
        "```python .noeval\nx\n```",
        "```{.python .noeval}\nx\n```",
        "```console\n$ ls\n```",
    ],
)
def test_fences_that_stay_text(tmp_path: Path, fence: str) -> None:
    document = markdown(tmp_path, f"before\n\n{fence}\n\n```python\ny\n```")
    assert outline(document) == [("markdown", f"before\n\n{fence}"), ("python", "y")]


def test_the_kernels_own_language_runs_and_no_other(tmp_path: Path) -> None:
    text = "```python\nx\n```\n\n```bash\nls\n```\n\n```julia\n1\n```"
    assert [block.language for block in markdown(tmp_path, text).blocks] == ["python", "bash"]
    assert [block.language for block in markdown(tmp_path, text, kernel_language="julia").blocks] == ["julia"]


def test_a_block_in_a_list_leaves_readable_text(tmp_path: Path) -> None:
    document = markdown(tmp_path, "1. one\n\n   ```python\n   x\n   ```\n\n   still one\n")
    assert outline(document) == [("markdown", "1. one"), ("python", "x"), ("markdown", "still one")]


def test_front_matter_is_a_raw_cell_and_lines_still_count(tmp_path: Path) -> None:
    document = markdown(tmp_path, "---\ntitle: x\n---\n# A\n\n```python\nx\n```")
    assert outline(document)[0] == ("raw", "---\ntitle: x\n---")
    assert document.blocks[0].line == 6


def test_blocks_that_may_fail(tmp_path: Path) -> None:
    document = markdown(tmp_path, "```python .raises-exception\n1/0\n```\n```python\nx\n```")
    assert [block.may_fail for block in document.blocks] == [True, False]


def test_the_title_is_the_first_line_that_says_something(tmp_path: Path) -> None:
    assert markdown(tmp_path, "```python\n\n   \n  x = 1  \ny\n```").blocks[0].title == "x = 1"


def notebook(tmp_path: Path, cells: list[dict[str, Any]], name: str = "n.ipynb", **fields: Any) -> Document:
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells} | fields
    path = tmp_path / name
    path.write_text(json.dumps(content))
    return read_document(path)


def code(source: Any, **fields: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": "c",
        "source": source,
        "metadata": {},
        "outputs": [],
        "execution_count": 1,
    } | fields


def test_a_notebook_keeps_its_cells(tmp_path: Path) -> None:
    image = {"a.png": {"image/png": "iVBOR"}}
    document = notebook(
        tmp_path,
        [
            {"cell_type": "markdown", "id": "m", "source": ["# A\n", "b"], "metadata": {}, "attachments": image},
            code("x = 1", id="one", metadata={"tags": ["raises-exception"], "mine": 1}),
            code("y = 2", id="two", metadata={"tags": ["skip-execution"]}),
            code("  \n", id="three"),
            {"cell_type": "raw", "id": "r", "source": "raw", "metadata": {"format": "x"}},
        ],
        metadata={"kernelspec": {"name": "mine", "display_name": "Mine"}, "language_info": {"name": "python"}},
    )
    assert outline(document) == [
        ("markdown", "# A\nb"), ("python", "x = 1"), ("code", "y = 2"), ("code", "  \n"), ("raw", "raw"),
    ]  # fmt: skip
    assert [cell.cell_id for cell in document.cells] == ["m", "one", "two", "three", "r"]
    assert document.kernel_name == "mine"
    assert document.blocks[0].may_fail
    assert document.blocks[0].metadata["mine"] == 1
    assert isinstance(document.cells[0], TextCell)
    assert document.cells[0].attachments == image


def test_cells_without_usable_ids_get_some(tmp_path: Path) -> None:
    cells = [code("a", id="same"), code("b", id="same"), code("c", id="not allowed"), code("d")]
    del cells[3]["id"]
    ids = [cell.cell_id for cell in notebook(tmp_path, cells, nbformat_minor=4).cells]
    assert len(set(ids)) == 4
    assert ids[0] == "same"
    assert all(cell_id.replace("-", "").isalnum() for cell_id in ids)


def test_an_old_notebook_is_converted(tmp_path: Path) -> None:
    old = nbformat.v3.new_notebook(worksheets=[nbformat.v3.new_worksheet(cells=[nbformat.v3.new_code_cell("x = 1")])])
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps(old))
    assert [block.code for block in read_document(path).blocks] == ["x = 1"]


@pytest.mark.parametrize(
    ("content", "language"),
    [
        ("text\n\n```python\nx\n```", "python"),
        (json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [code("x")]}), "python"),
        ("{not json}\n\n```python\nx\n```", "python"),
    ],
)
def test_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, language: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    document = read_document("-")
    assert [(block.language, block.code) for block in document.blocks] == [(language, "x")]
    assert (document.name, document.directory) == ("stdin", tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "a.md",
            b"",
            "a.md has no code blocks to run; a block runs if its fence names its language, as ```python does.",
        ),
        ("a.md", b"```toml\nx\n```", "a.md has no code blocks to run"),
        ("a.md", b"\x89PNG\r\n\x1a\n\0\0", "a.md is a binary file (it has NUL bytes), and text is wanted."),
        ("a.md", b"ok\n\xff\n", "a.md is not UTF-8 text: byte 0xff in line 2 cannot be read; save it as UTF-8."),
        ("a.md", b"```python\nx", "The code block in line 1 of a.md is never closed; end it with a fence."),
        ("a.py", b"x", "a Python file, not a document; run it with: cellblock exec"),
        ("a.ipynb", b"", "a.ipynb is not a notebook: it is not JSON"),
        ("a.ipynb", b"{", "a.ipynb is not a notebook: it is not JSON"),
        ("a.ipynb", b"[" * 100_000, "a.ipynb is not a notebook: its JSON is nested too deeply to be read."),
        ("a.ipynb", b"[]", "a.ipynb is not a notebook: it is JSON without a notebook's nbformat key."),
        ("a.ipynb", b'{"nbformat": 5}', "a.ipynb has notebook format 5; formats up to 4 can be read."),
        ("a.ipynb", b'{"nbformat": 4}', "a.ipynb is not a valid notebook: it has no list of cells."),
        (
            "a.ipynb",
            b'{"nbformat": 4, "cells": [1]}',
            "a.ipynb is not a valid notebook: its cell 1 has no cell type or no source.",
        ),
        ("a.ipynb", b'{"nbformat": 4, "cells": [{"cell_type": "code"}]}', "its cell 1 has no cell type or no source."),
        ("a.ipynb", b'{"nbformat": 4, "cells": [{"cell_type": "x", "source": ""}]}', "its cell 1 has no cell type"),
        ("a.ipynb", b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}]}', "its cell 1 has no cell type"),
        ("a.ipynb", b'{"nbformat": 4, "cells": []}', "a.ipynb has no code cells to run."),
        ("a.ipynb", b'{"nbformat": 3, "worksheets": 1}', "a notebook of an old format that cannot be converted"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_document(path)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_files_and_directories(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no file .*none\.md\."):
        read_document(tmp_path / "none.md")
    with pytest.raises(ConfigError, match="is a directory; name a file in it"):
        read_document(tmp_path)
