"""The program ``cellblock``, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import cellblock as cellblock_package

_SOURCE = str(Path(cellblock_package.__file__).parents[1])  # found from any folder, installed or not


@dataclass
class Program:
    """Runs ``python -m cellblock`` in a folder of the test's own."""

    folder: Path

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "cellblock", *map(str, arguments)]

    def environment(self, **changes: str) -> dict[str, str]:
        plain = {
            name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "NO_COLOR", "COLUMNS"}
        }
        return plain | {"PYTHONPATH": _SOURCE} | changes

    def __call__(
        self, *arguments: object, text_in: str | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=environment or self.environment(),
            input=text_in or "",
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def cellblock(tmp_path: Path) -> Program:
    return Program(tmp_path)
