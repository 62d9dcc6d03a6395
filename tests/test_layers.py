"""Imports point down only: reads the imports of every file of the package and compares them with one table."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "cellblock"

LAYERS = (
    {"errors"},
    {"_core"},
    {
        "background",
        "block_cells",
        "deadline",
        "files",
        "guarded_files",
        "journal",
        "notebook_file",
        "shell_cell",
        "spool",
        "write_turn",
    },  # a loop, a clock and files, for all above
    {"transports"},
    {"kernels", "servers"},
    {"session", "connection", "ladder", "questions", "running_cell", "stream", "verdict"},  # decides
    {"blocking"},
    {"coding"},
    {"agentchat"},
    {"notebook"},
    {"cli", "__main__"},
    {"__init__", "testing"},  # see everything
)
"""From the bottom up. A part may import from its own layer and those below."""

KNOWS_NOTHING_OF = {
    "agentchat": {"session", "blocking", "kernels", "servers", "transports"},  # it knows executors only
    "kernels": {"servers"},
}
"""Layers that would be low enough, and are still none of a part's business."""

PURE = {
    "__future__", "abc", "ast", "base64", "binascii", "cellblock", "codeop", "collections", "copy",
    "dataclasses", "datetime", "enum", "functools", "hashlib", "hmac", "html", "io", "ipaddress", "itertools",
    "json", "keyword", "math", "mimetypes", "operator", "os", "pathlib", "re", "secrets", "shlex", "string",
    "struct", "textwrap", "tokenize", "types", "typing", "unicodedata", "urllib", "uuid", "warnings", "xml",
}  # fmt: skip
PURE_PACKAGES = {"markdown_it", "pydantic"}
PURE_OF_OS = {"PathLike", "fspath", "getpid"}
FILE_ACCESS = {"exists", "iterdir", "is_dir", "is_file", "mkdir", "open", "read_bytes", "read_text", "resolve", "stat", "unlink",
               "write_bytes", "write_text"}  # fmt: skip

FILES = sorted(path for path in SOURCE.rglob("*.py") if "kernel_program" not in path.parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of each module a file imports, wherever in the file."""
    package = ["cellblock", *path.relative_to(SOURCE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = [] if not node.level else package[: len(package) - node.level + 1]
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "cellblock":
                yield from ((node.lineno, f"cellblock.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def part_of(path: Path) -> str:
    """The part of the package a file belongs to: its first folder, or its own name."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def layer_of(part: str) -> int:
    return next(rank for rank, parts in enumerate(LAYERS) if part in parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_file_belongs_to_a_layer(path):
    assert part_of(path) in set().union(*LAYERS), f"{name_of(path)}: say in LAYERS where it belongs"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path):
    own = part_of(path)
    wrong = []
    for line, module in imports(path):
        if module.split(".")[0] != "cellblock" or module == "cellblock.__version__":
            continue
        other = module.split(".")[1]
        if layer_of(other) > layer_of(own) or other in KNOWS_NOTHING_OF.get(own, ()):
            wrong.append(f"{name_of(path)}:{line} imports {module}")
    assert wrong == []


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) == "_core"], ids=name_of)
def test_the_core_touches_nothing(path):
    impure = [f"{line}: {name}" for line, name in imports(path) if name.split(".")[0] not in PURE | PURE_PACKAGES]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and (
            node.attr in FILE_ACCESS
            or (isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr not in PURE_OF_OS)
        ):
            impure.append(f"{node.lineno}: .{node.attr}")
        elif isinstance(node, ast.Name) and node.id == "open":
            impure.append(f"{node.lineno}: open")
    assert impure == []


def test_a_kernels_program_imports_nothing_of_ours():
    """It runs in the kernel's interpreter, where cellblock need not be installed."""
    for path in (SOURCE / "kernels" / "kernel_program").glob("*.py"):
        assert [module for _, module in imports(path) if module.split(".")[0] == "cellblock"] == []


def test_the_table_names_only_what_is_there():
    there = {part_of(path) for path in FILES}
    assert set().union(*LAYERS) - there == set()


def test_the_design_page_has_the_same_table():
    """Its rows come from the top down."""
    page = (SOURCE.parents[1] / "docs" / "design.md").read_text()
    table = page.partition("## Layers")[2].partition("\n\n`kernels/")[0].partition("\n\n| row")[2]
    rows = [set(re.findall(r"`(\w+)`", line.split("|")[2])) for line in table.splitlines() if line.count("|") == 4]
    assert [row for row in rows if row] == list(reversed(LAYERS))


def test_pure_modules_are_modules():
    assert sys.stdlib_module_names >= PURE - {"cellblock"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_core/a.py", "def f():\n    from cellblock.session import AsyncSession"),
        ("transports/b.py", "from ..kernels import Kernel"),
        ("session.py", "from cellblock import cli"),
        ("agentchat/c.py", "import cellblock.session"),
    ],
)
def test_an_upward_import_would_be_found(name, text, tmp_path, monkeypatch):
    """The check itself can fail."""
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(AssertionError, match="imports cellblock"):
        test_imports_point_down(path)
