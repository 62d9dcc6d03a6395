"""A kernel's files through the contents API of its server."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from typing import TYPE_CHECKING

from cellblock._core import contents_api
from cellblock._core.file_names import checked_name
from cellblock.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from cellblock.transports.rest import AsyncJupyterClient

__all__ = ["ContentsFiles"]

_CHUNK = 8 * 1024 * 1024  # bytes sent at a time
_FOLDERS_AT_MOST = 20_000  # the API does not tell links, so that two that go in circles make folders without end


class ContentsFiles:
    """Files below a folder of a Jupyter server. See ``FileStore``.

    The server follows links, also out of the folder, and the API does not tell which files are links. Hidden files are
    refused by a server that is not told otherwise.

    Args:
        client: Of the server.
        folder: The kernel's working directory, from the server's root.
    """

    def __init__(self, client: AsyncJupyterClient, folder: str = "") -> None:
        self._client = client
        self._folder = tuple(part for part in folder.split("/") if part)

    async def upload(self, source: Path, name: str) -> None:
        """Puts a file of ours into the working directory. See ``FileStore``."""
        parts = (*self._folder, *checked_name(name))
        for depth in range(len(self._folder) + 1, len(parts)):
            await self._client.call(contents_api.make_folder(parts[:depth]))
        with source.open("rb") as file:
            piece = await asyncio.to_thread(file.read, _CHUNK)
            for number in itertools.count(1):
                following = await asyncio.to_thread(file.read, _CHUNK)
                last = not following
                count = (0 if number == 1 else contents_api.LAST_CHUNK) if last else number
                await self._client.call(contents_api.put_chunk(parts, piece, count))
                if last:
                    return
                piece = following

    async def download(self, name: str) -> bytes:
        """The content of a file. See ``FileStore``."""
        return await self._client.call(contents_api.get_file((*self._folder, *checked_name(name))))

    async def list_files(self) -> list[str]:
        """The names of all files, sorted. See ``FileStore``."""
        found: list[str] = []
        folders = deque([self._folder])
        for _ in range(_FOLDERS_AT_MOST):
            if not folders:
                return sorted(found)
            for entry in await self._client.call(contents_api.list_folder(folders.popleft())):
                parts = tuple(entry.path.split("/"))
                if entry.is_folder:
                    folders.append(parts)
                else:
                    found.append("/".join(parts[len(self._folder) :]))
        raise ConfigError(
            f"The files in the kernel's working directory were to be listed, but it has more than {_FOLDERS_AT_MOST} folders, "
            "or links that go in circles. List them in a cell."
        )
