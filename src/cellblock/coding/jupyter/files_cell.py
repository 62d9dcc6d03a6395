"""What moves files runs in the kernel, in a namespace of its own; see ``file_store``. It imports nothing of cellblock."""

import base64
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
        names = [file.relative_to(here).as_posix() for file in here.rglob("*") if file.is_file()]
        return Answer(sorted(name for name in names if not name.startswith(".") and "/." not in name))
    path = here.joinpath(*arguments["name"].split("/")).resolve()
    if here not in path.parents:
        raise ValueError(f"{arguments['name']} leads out of the working directory")
    if action == "read":
        with path.open("rb") as file:
            file.seek(arguments["start"])
            return Answer(base64.b64encode(file.read(arguments["size"])).decode())
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb" if arguments["first"] else "ab") as piece:
        piece.write(base64.b64decode(arguments["data"]))
    if arguments["last"]:
        unfinished.replace(path)
    return Answer(None)
