"""What moves files runs in the kernel, in a namespace of its own; see ``file_store``. It imports nothing of cellblock."""

import base64
import os
from pathlib import Path
from typing import Any


class Answer:
    """A value as the kernel sends it, whatever the user's formatters make of values."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"application/json": {"value": self._value}}


def answer(action: str, **arguments: Any) -> Answer:
    """Lists the files of the working directory, or reads or writes a piece of one."""
    here = Path.cwd().resolve()
    if action == "list":
        return Answer(sorted(names(here)))
    path = here.joinpath(*arguments["name"].split("/")).resolve()
    if here not in path.parents:
        raise ValueError(f"{arguments['name']} leads out of the working directory")
    if action == "read":
        return Answer(read(path, arguments["start"], arguments["size"]))
    unfinished = path.with_name(f".{arguments['token']}.part")
    if action == "discard":
        unfinished.unlink(missing_ok=True)
    else:
        write(path, unfinished, base64.b64decode(arguments["data"]), arguments["first"], arguments["last"])
    return Answer(None)


def names(here: Path) -> list[str]:
    """The files that can be read from here, without hidden ones. No folder is entered by a link, which may go in circles."""
    found: list[Path] = []
    for folder, subfolders, files in os.walk(here):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    there = (path for path in found if path.is_file() and (not path.is_symlink() or here in path.resolve().parents))
    return [path.relative_to(here).as_posix() for path in there]


def read(path: Path, start: int, size: int) -> str:
    """A piece of a file. A pipe or a device is refused, which could keep the reader waiting."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name} is no regular file")
    with path.open("rb") as file:
        file.seek(start)
        return base64.b64encode(file.read(size)).decode()


def write(path: Path, unfinished: Path, piece: bytes, first: bool, last: bool) -> None:
    """Adds a piece to a file that has a name of its own until it is whole."""
    if path.is_dir():
        raise IsADirectoryError(f"{path.name} is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with unfinished.open("wb" if first else "ab") as file:
            file.write(piece)
        if last:
            unfinished.replace(path)
    except BaseException:  # also an interrupt's
        unfinished.unlink(missing_ok=True)
        raise
