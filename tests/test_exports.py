"""What is public is what the reference lists: each name once, and nothing else."""

import re
import tomllib
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "cellblock"
PUBLIC = ["cellblock", "cellblock.errors", *(
    f"cellblock.{'.'.join(path.relative_to(SOURCE).parts[:-1])}"
    for path in sorted(SOURCE.glob("*/**/__init__.py"))
    if "__all__" in path.read_text() and not any(part.startswith("_") for part in path.relative_to(SOURCE).parts[:-1])
)]  # fmt: skip
"""A package's ``__all__`` is public; other modules say with theirs only what is for their neighbours."""

DIRECTIVE = re.compile(r"^::: (cellblock[\w.]*)$", re.MULTILINE)


def resolve(path):
    """The object a dotted path names."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def documented():
    """The paths the reference has; a module stands for all it exports."""
    for page in sorted((ROOT / "docs" / "reference").glob("*.md")):
        for path in DIRECTIVE.findall(page.read_text()):
            if path in PUBLIC:
                yield from (f"{path}.{name}" for name in import_module(path).__all__)
            else:
                yield path


def home(path):
    """One name for an object, however many modules export it."""
    obj = resolve(path)
    own_name = isinstance(obj, type | FunctionType)  # a constant or an alias of types has none
    return f"{obj.__module__}.{obj.__qualname__}" if own_name else path.rpartition(".")[2]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_name_is_there(module):
    exported = import_module(module).__all__
    assert len(set(exported)) == len(exported)
    for name in exported:
        assert resolve(f"{module}.{name}") is not None


@pytest.mark.parametrize("module", PUBLIC)
def test_a_name_that_is_not_there_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="nosuch"):
        _ = import_module(module).nosuch


def test_the_reference_has_every_public_name_once_and_no_other():
    public = {
        home(f"{module}.{name}") for module in PUBLIC for name in import_module(module).__all__ if name != "__version__"
    }
    listed = Counter(home(path) for path in documented())
    assert {name for name, count in listed.items() if count > 1} == set()
    assert set(listed) == public


def test_the_version_is_the_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert import_module("cellblock").__version__ == project["version"]


def test_every_page_is_in_the_navigation():
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert set(flatten(navigation)) == pages


def flatten(entry):
    if isinstance(entry, str):
        yield entry
    else:
        for value in entry.values() if isinstance(entry, dict) else entry:
            yield from flatten(value)
