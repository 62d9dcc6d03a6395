"""The part of Jupyter Server's REST API that moves files: the contents API. No sockets.

Source: https://jupyter-server.readthedocs.io/en/latest/developers/contents.html. Kernel Gateway does not have it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cellblock._core.server_api import ApiCall
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["LAST_CHUNK", "Entry", "get_file", "list_folder", "make_folder", "put_chunk", "serves_contents"]

LAST_CHUNK = -1
"""The number of an upload's last chunk; those before it count from 1. Source: ``LargeFileManager``."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a folder.

    Attributes:
        path: Its name, from the server's root.
        is_folder: Whether it is a folder itself.
    """

    path: str
    is_folder: bool


def serves_contents() -> ApiCall[bool]:
    """Whether the server has a contents API at all."""
    return ApiCall(
        "GET",
        "/api/contents",
        "say whether it serves files",
        lambda _: True,
        params={"content": "0"},
        absent=lambda: False,
    )


def list_folder(parts: Sequence[str]) -> ApiCall[list[Entry]]:
    """What is in a folder; nothing if there is no such folder.

    Args:
        parts: Of the folder's path.
    """
    params = {"type": "directory", "content": "1"}
    return ApiCall("GET", _path(parts), "list a folder", _entries, params=params, absent=list, unsuitable=_fault(parts))


def get_file(parts: Sequence[str]) -> ApiCall[bytes]:
    """The content of a file.

    Args:
        parts: Of the file's path.
    """
    params = {"type": "file", "format": "base64", "content": "1"}
    return ApiCall(
        "GET",
        _path(parts),
        "send a file",
        _content,
        params=params,
        absent=lambda: _no_file(parts),
        unsuitable=_fault(parts),
    )


def make_folder(parts: Sequence[str]) -> ApiCall[None]:
    """Makes a folder, if it is not there.

    Args:
        parts: Of the folder's path.
    """
    body = {"type": "directory"}
    return ApiCall("PUT", _path(parts), "make a folder", lambda _: None, body, unsuitable=_fault(parts))


def put_chunk(parts: Sequence[str], data: bytes, number: int) -> ApiCall[None]:
    """Sends a piece of a file; the first replaces what was there.

    Args:
        parts: Of the file's path.
        data: The piece.
        number: From 1, and ``LAST_CHUNK`` for the last; a file of one piece has 0.
    """
    body: dict[str, Any] = {"type": "file", "format": "base64", "content": base64.b64encode(data).decode()}
    if number:
        body["chunk"] = number
    return ApiCall("PUT", _path(parts), "keep a file", lambda _: None, body, unsuitable=_fault(parts))


def _path(parts: Sequence[str]) -> str:
    return "/".join(["/api/contents", *(quote(part, safe="") for part in parts)])


def _entries(model: Any) -> list[Entry]:
    return [Entry(str(entry["path"]), entry["type"] == "directory") for entry in model["content"]]


def _content(model: Any) -> bytes:
    if model["format"] == "base64":
        return base64.b64decode(model["content"])  # in lines
    return str(model["content"]).encode()


def _fault(parts: Sequence[str]) -> Callable[[str], ConfigError]:
    name = "/".join(parts)
    return lambda why: ConfigError(
        f"The server was asked for {name!r} and refused: {why or 'it did not say why'}. Use another name, or cells."
    )


def _no_file(parts: Sequence[str]) -> bytes:
    raise ConfigError(f"There is no file {'/'.join(parts)!r} in the kernel's working directory.")
