"""cellblock's blocking session on a kernel in a sandbox whose interpreter is started there, as a variable asks for."""

from __future__ import annotations

from cellblock import Sandbox, Session


class Contender:
    def __init__(self, timeout: float = 60.0) -> None:
        self.session = Session(sandbox=Sandbox(env={"LC_ALL": "C.UTF-8"}), timeout=timeout)

    def execute(self, code: str) -> str:
        return self.session.run(code).text

    def close(self) -> None:
        self.session.close()
