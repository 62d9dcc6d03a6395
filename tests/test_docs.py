"""The documentation is true: its blocks run, print what they say, and its links lead somewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from model_server import ModelServer
from pages import (
    PAGES,
    ROOT,
    Block,
    claims,
    commands,
    missing_claim,
    model_answers,
    python_blocks,
    shell_blocks,
    shown_output,
    write_files,
)

LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def name_of(page):
    return str(page.relative_to(ROOT))


RUNS = [
    pytest.param(name_of(page), need, marks=[pytest.mark.docker] if need == "docker" else [])
    for page in PAGES
    for need in ("", "docker", "model")
    if python_blocks(page, need)
]


def run_blocks(page, need, folder, **environment):
    """Runs a page's Python blocks in a process of their own and compares what they print with what they say."""
    write_files(page, folder)
    blocks = python_blocks(page, need)
    program = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "tests" / "page_program.py", page],
        input=json.dumps([(block.line, block.code) for block in blocks]),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=100,
        check=False,
    )
    assert program.returncode == 0, program.stderr
    for block, printed in zip(blocks, json.loads(program.stdout), strict=True):
        missing = missing_claim(claims(block), printed)
        assert missing is None, f"{name_of(page)}:{block.line} says that it prints {missing!r}, but printed:\n{printed}"


@pytest.mark.parametrize(("page", "need"), RUNS, ids=str)
def test_python_blocks_run_and_print_what_they_say(page, need, tmp_path):
    with ModelServer(script=list(model_answers(ROOT / page))) as server:
        run_blocks(ROOT / page, need, tmp_path, OPENAI_API_KEY="key", OPENAI_BASE_URL=server.url)
        assert need != "model" or server.script == [], "answers of the page were not asked for"


@pytest.mark.parametrize("page", [page for page in PAGES if shell_blocks(page)], ids=name_of)
def test_commands_succeed(page, tmp_path):
    write_files(page, tmp_path)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    for block in shell_blocks(page):
        program = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(commands(block))],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            timeout=100,
            check=False,
        )
        printed = program.stdout + program.stderr
        assert program.returncode == 0, f"{name_of(page)}:{block.line}\n{printed}"
        missing = missing_claim(shown_output(block), printed)
        assert missing is None, f"{name_of(page)}:{block.line} shows {missing!r}, but printed:\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files(page):
    targets = [
        target
        for target, _ in LINK.findall(page.read_text())
        if "://" not in target and not target.startswith("mailto:")
    ]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_a_page_that_is_wrong_would_be_found(tmp_path):
    """The checks themselves can fail."""
    block = Block(
        1, "python", "print(6 * 7)  # 42\nfor i in range(2):\n    print(i)\n    # 0\n    # 1\nx = 1  # not a claim\n"
    )
    assert claims(block) == ["42", "0", "1"]
    assert missing_claim(claims(block), "42\n0\n1\n") is None
    assert missing_claim(claims(block), "42\n1\n0\n") == "1"
    page = tmp_path / "page.md"
    page.write_text("Text\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md\", line 8"):
        run_blocks(page, "", tmp_path)
