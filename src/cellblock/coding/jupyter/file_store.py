"""Files into and out of the working directory of an executor's kernel, wherever the kernel is."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cellblock._core.file_names import checked_name
from cellblock._core.results import CellStatus
from cellblock.errors import CellblockError, ConfigError, RemoteProtocolError, SessionError

if TYPE_CHECKING:
    from cellblock.session import AsyncSession

__all__ = ["FileStore", "KernelFiles", "file_store_of"]

_CHUNK = 4 * 1024 * 1024  # bytes in one message


class FileStore(Protocol):
    """The files in a kernel's working directory. Names are relative to it, with slashes, and never lead out of it."""

    async def upload(self, source: Path, name: str) -> None:
        """Puts a file of ours there, in place of what has its name; folders on the way are made.

        Args:
            source: The file.
            name: What it shall be called there.

        Raises:
            ConfigError: The name leads elsewhere.
            OSError: The file cannot be read.
        """

    async def download(self, name: str) -> bytes:
        """The content of a file there.

        Args:
            name: Of the file.

        Raises:
            ConfigError: There is no such file, or the name leads elsewhere.
        """

    async def list_files(self) -> list[str]:
        """The names of all files there, sorted. They are the code's choice: do not print them as they are."""


async def file_store_of(session: AsyncSession, *, timeout: float | None = None) -> FileStore:
    """The way to the files of a session's kernel: the kernel itself, or its server's contents API.

    A kernel of Python is asked itself, wherever it runs: it sees where links lead, and names mean the same on every back
    end. One of another language cannot be asked; what it was started in is a folder that its server may serve, unless
    somebody else started it, in any folder.

    Args:
        session: Whose kernel has started.
        timeout: Seconds in which the kernel must answer each question, if it is asked.

    Raises:
        ConfigError: There is no way: the kernel does not speak Python, and no server serves its files.
    """
    kernel = session.kernel
    if kernel.language == "python":
        return KernelFiles(session, timeout)
    from cellblock.kernels.remote import RemoteKernel

    if isinstance(kernel, RemoteKernel) and kernel.is_ours:
        from cellblock._core.contents_api import serves_contents
        from cellblock.transports.contents import ContentsFiles
        from cellblock.transports.rest import AsyncJupyterClient

        client = AsyncJupyterClient(kernel.connection_info, keep_connections=False)
        if await client.call(serves_contents()):
            return ContentsFiles(client, kernel.path)
    raise ConfigError(
        f"Files cannot be moved: a kernel of {kernel.language or 'this language'} cannot be asked for them, and no server "
        "serves them. Read and write them in cells."
    )


class KernelFiles:
    """Files moved by the kernel itself, which must speak Python. See ``FileStore``.

    Args:
        session: Runs the code that moves them; waits until its cell is over.
        timeout: Seconds in which each question must be answered; the session's if not given.
    """

    def __init__(self, session: AsyncSession, timeout: float | None = None) -> None:
        self._session = session
        self._timeout = timeout
        self._code = Path(__file__).with_name("files_cell.py").read_text(encoding="utf-8")

    async def upload(self, source: Path, name: str) -> None:
        """Puts a file of ours into the working directory. See ``FileStore``."""
        place = {"name": "/".join(checked_name(name)), "token": secrets.token_hex(16)}
        try:
            with source.open("rb") as file:
                piece, first = await asyncio.to_thread(file.read, _CHUNK), True
                while piece or first:
                    following = await asyncio.to_thread(file.read, _CHUNK)
                    data = base64.b64encode(piece).decode()
                    await self._ask(action="write", **place, data=data, first=first, last=not following)
                    piece, first = following, False
        except CellblockError:
            raise  # the kernel itself has removed what it wrote, or cannot be asked to
        except BaseException:
            with contextlib.suppress(CellblockError):
                await self._ask(action="discard", **place)
            raise

    async def download(self, name: str) -> bytes:
        """The content of a file. See ``FileStore``."""
        name = "/".join(checked_name(name))
        content = b""
        while True:
            piece = base64.b64decode(str(await self._ask(action="read", name=name, start=len(content), size=_CHUNK)))
            content += piece
            if len(piece) < _CHUNK:
                return content

    async def list_files(self) -> list[str]:
        """The names of all files, sorted. See ``FileStore``."""
        return [str(name) for name in await self._ask(action="list")]

    async def _ask(self, **arguments: Any) -> Any:
        """Evaluates the code's answer beside an empty cell: no name is left behind, and nothing shows."""
        call = f"(exec({self._code!r}, space), space['answer'](**{arguments!r}))[1]"
        question = {"answer": f"(lambda space: {call})({{}})"}
        result = await self._session.run("", timeout=self._timeout, user_expressions=question)
        if result.status is not CellStatus.OK:
            raise SessionError(f"The kernel could not be asked for its files. {' '.join(result.notes)}")
        answer = result.user_expressions.get("answer", {})
        if answer.get("status") == "error":
            raise ConfigError(f"The kernel could not do it: {answer.get('ename')}: {answer.get('evalue')}.")
        try:
            return answer["data"]["application/json"]["value"]
        except (KeyError, TypeError) as error:
            raise RemoteProtocolError(
                "The kernel was asked for its files and gave an answer of another kind."
            ) from error
