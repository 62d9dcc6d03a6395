"""Documents from files and from standard input, with a sentence for whatever is not one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.errors import ConfigError
from cellblock.notebook.documents import Document
from cellblock.notebook.from_ipynb import (
    cells_of_notebook,
    kernel_of_notebook,
    load_notebook,
    looks_like_notebook,
    metadata_of_notebook,
)
from cellblock.notebook.from_markdown import cells_of_markdown

if TYPE_CHECKING:
    import os

__all__ = ["read_document", "read_text"]

_STDIN = Path("-")


def read_document(path: str | os.PathLike[str], *, kernel_language: str = "python") -> Document:
    """Reads a Markdown file or a notebook.

    Of a Markdown file, fences run whose language the kernel or cellblock itself can run, but for those marked
    ``.noeval`` (Jupytext's word). Of a notebook, code cells run, but for those tagged ``skip-execution`` (nbclient's
    word). A block marked or tagged ``raises-exception`` may fail.

    Args:
        path: The file; "-" reads standard input, which is Markdown unless it is a notebook's JSON.
        kernel_language: The language of the kernel that is to run it.

    Raises:
        ConfigError: There is nothing to run there; the message says in a sentence what is there instead.
    """
    path = Path(path)
    if path.suffix.lower() == ".py":
        raise ConfigError(f"{path} is a Python file, not a document; run it with: cellblock exec {path}")
    text = read_text(path)
    if path == _STDIN:
        name, directory, is_notebook = "stdin", Path.cwd(), looks_like_notebook(text)
    else:
        name, directory, is_notebook = path.name, path.absolute().parent, path.suffix.lower() == ".ipynb"
    document = _notebook(text, name, directory) if is_notebook else _markdown(text, name, directory, kernel_language)
    if not document.blocks:
        raise ConfigError(_nothing_to_run(name, is_notebook))
    return document


def _notebook(text: str, name: str, directory: Path) -> Document:
    notebook = load_notebook(text, name)
    cells = tuple(cells_of_notebook(notebook, name))
    return Document(name, directory, cells, kernel_of_notebook(notebook), metadata_of_notebook(notebook))


def _markdown(text: str, name: str, directory: Path, kernel_language: str) -> Document:
    return Document(name, directory, tuple(cells_of_markdown(text, name, kernel_language)))


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file, without a byte order mark.

    Args:
        path: The file; "-" reads standard input.

    Raises:
        ConfigError: There is no text; the message says in a sentence what is there instead.
    """
    path = Path(path)
    name, content = ("stdin", _standard_input()) if path == _STDIN else (path.name, _content(path))
    if b"\0" in content:
        raise ConfigError(f"{name} is a binary file (it has NUL bytes), and text is wanted.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{name} is not UTF-8 text: byte {content[error.start]:#04x} in line {line} cannot be read; "
            "save it as UTF-8."
        ) from None


def _standard_input() -> bytes:
    if sys.stdin is None:  # as Python has it when the descriptor is closed
        raise ConfigError("There is nothing to read: the standard input is closed. Name a file.")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise ConfigError(f"The standard input cannot be read: {error.strerror or error}.") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a directory; name a file in it.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error


def _nothing_to_run(name: str, is_notebook: bool) -> str:
    if is_notebook:
        return f"{name} has no code cells to run."
    return f"{name} has no code blocks to run; a block runs if its fence names its language, as ```python does."
