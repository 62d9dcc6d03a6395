"""The contenders' processes as the harness sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import psutil

from benchmarks.contenders import ROOT, Entry

__all__ = ["Worker", "WorkerFailed"]

_GRACE = 10.0  # seconds a contender has to close its kernels


class WorkerFailed(Exception):
    """A contender's process could not do what was asked."""


class Worker:
    """One contender in a process, an environment and a working directory of its own.

    Args:
        entry: Which contender.
    """

    def __init__(self, entry: Entry) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
        self._log = Path(self._folder.name, "stderr").open("w+")  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            [_interpreter(entry), str(ROOT / "benchmarks" / "worker.py"), entry.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=self._folder.name,
            env={**os.environ, "IPYTHONDIR": self._folder.name, "JUPYTER_PLATFORM_DIRS": "1"},
        )

    def measure(self, name: str, arguments: dict[str, Any]) -> dict[str, float]:
        """Asks for one measure and waits for its numbers.

        Args:
            name: A method of ``benchmarks.measures.Bench``.
            arguments: Its arguments.

        Raises:
            WorkerFailed: It raised, or the process ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"measure": name, "arguments": arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": self._said()}
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        numbers: dict[str, float] = answer["value"]
        return numbers

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read()[-4000:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Ends the process and whatever it left running."""
        descendants = psutil.Process(self._process.pid).children(recursive=True)
        try:
            self._process.communicate(timeout=_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        for descendant in descendants:
            if descendant.is_running():
                descendant.kill()
        self._log.close()
        self._folder.cleanup()


def _interpreter(entry: Entry) -> str:
    return str(ROOT / entry.environment / "bin" / "python") if entry.environment else sys.executable
