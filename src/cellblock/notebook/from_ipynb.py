"""The cells of a notebook.

Format 4 is read here; older ones by nbformat, which can convert them and takes long to import.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from cellblock._core.languages import canonical_language
from cellblock._core.notebook_cells import NBFORMAT
from cellblock._core.pip import quiet_pip
from cellblock.errors import ConfigError
from cellblock.notebook.documents import Block, TextCell

__all__ = ["cells_of_notebook", "kernel_of_notebook", "load_notebook", "looks_like_notebook", "metadata_of_notebook"]

_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


def looks_like_notebook(text: str) -> bool:
    """Whether a text of unknown kind is a notebook's JSON."""
    if not text.lstrip().startswith("{"):
        return False
    try:
        return "nbformat" in json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return '"nbformat"' in text


def load_notebook(text: str, name: str) -> dict[str, Any]:
    """A notebook's JSON in format 4.

    Args:
        text: The file's content.
        name: What messages call it.

    Raises:
        ConfigError: It is no notebook, or one of a format to come.
    """
    try:
        notebook = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{name} is not a notebook: it is not JSON ({error}).") from None
    except RecursionError:
        raise ConfigError(f"{name} is not a notebook: its JSON is nested too deeply to be read.") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("nbformat"), int):
        raise ConfigError(f"{name} is not a notebook: it is JSON without a notebook's nbformat key.")
    version = notebook["nbformat"]
    if version > NBFORMAT:
        raise ConfigError(f"{name} has notebook format {version}; formats up to {NBFORMAT} can be read.")
    return notebook if version == NBFORMAT else _converted(text, name)


def kernel_of_notebook(notebook: Mapping[str, Any]) -> str | None:
    """The name of the kernelspec a notebook wants, if it names one."""
    name = _mapping(_mapping(notebook.get("metadata")).get("kernelspec")).get("name")
    return name if isinstance(name, str) and name else None


def metadata_of_notebook(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """What a notebook says of itself, without the state of widgets, which belongs to what its cells showed before."""
    return {key: value for key, value in _mapping(notebook.get("metadata")).items() if key != "widgets"}


def cells_of_notebook(notebook: Mapping[str, Any], name: str) -> Iterator[TextCell | Block]:
    """Reads a notebook's cells; what they showed in earlier runs is left out.

    Args:
        notebook: As ``load_notebook`` gives it.
        name: What messages call it.

    Raises:
        ConfigError: A cell is not a cell; the message says which.
    """
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise ConfigError(f"{name} is not a valid notebook: it has no list of cells.")
    language = _language(notebook)
    ids: set[str] = set()
    number = 0
    for position, cell in enumerate(cells, 1):
        kind, source = _kind_and_source(cell, position, name)
        cell_id = _new_id(cell.get("id"), position, ids)
        metadata = _mapping(cell.get("metadata"))
        tags = _tags(metadata)
        if kind == "code" and source.strip() and "skip-execution" not in tags:
            number += 1
            yield Block(
                number=number,
                code=source,
                source=quiet_pip(source) if canonical_language(language) == "python" else source,
                language=language,
                cell_id=cell_id,
                may_fail="raises-exception" in tags,
                metadata=metadata,
            )
        else:
            attachments = _mapping(cell.get("attachments"))
            yield TextCell(source=source, cell_id=cell_id, kind=kind, metadata=metadata, attachments=attachments)


def _converted(text: str, name: str) -> dict[str, Any]:
    import nbformat

    try:
        return dict(nbformat.reads(text, as_version=NBFORMAT))
    except Exception as error:  # nbformat's converters raise whatever the broken part makes them
        raise ConfigError(f"{name} is a notebook of an old format that cannot be converted: {error}") from None


def _kind_and_source(cell: Any, position: int, name: str) -> tuple[Literal["markdown", "raw", "code"], str]:
    kind, source = _mapping(cell).get("cell_type"), _mapping(cell).get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if kind not in ("markdown", "raw", "code") or not isinstance(source, str):
        raise ConfigError(f"{name} is not a valid notebook: its cell {position} has no cell type or no source.")
    return kind, source


def _new_id(wanted: Any, position: int, taken: set[str]) -> str:
    """The cell's own id, or one of ours where it has none (before format 4.5) or it is not its alone."""
    cell_id = wanted if isinstance(wanted, str) and _CELL_ID.match(wanted) else f"cell-{position}"
    while cell_id in taken:
        cell_id = f"{cell_id[:50]}-{position}"
    taken.add(cell_id)
    return cell_id


def _language(notebook: Mapping[str, Any]) -> str:
    metadata = _mapping(notebook.get("metadata"))
    info, spec = _mapping(metadata.get("language_info")), _mapping(metadata.get("kernelspec"))
    named = (info.get("name"), spec.get("language"))
    return next((value for value in named if isinstance(value, str) and value), "python")


def _tags(metadata: Mapping[str, Any]) -> list[Any]:
    tags = metadata.get("tags")
    return tags if isinstance(tags, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
