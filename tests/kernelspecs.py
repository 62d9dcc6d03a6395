"""Kernelspecs of tests, in a folder of their own."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

BASH = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]


@dataclass(frozen=True)
class KernelSpecs:
    """A data folder of Jupyter's that kernelspecs can be put into."""

    data_dir: Path

    def add(self, name: str, argv: list[str], language: str = "python", **more: object) -> Path:
        """Installs one and gives its file."""
        text = json.dumps({"argv": argv, "display_name": name, "language": language, **more})
        return self.add_text(name, text)

    def add_text(self, name: str, text: str) -> Path:
        """Installs one with any text as its file."""
        folder = self.data_dir / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "kernel.json"
        file.write_text(text, encoding="utf-8")
        return file


@pytest.fixture(scope="module")
def kernelspecs(tmp_path_factory):
    """Kernelspecs that this module's tests have beside those installed: "bash" is one."""
    specs = KernelSpecs(tmp_path_factory.mktemp("jupyter"))
    specs.add("bash", BASH, "bash")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(specs.data_dir))
        yield specs
