"""Every example runs as its reader would run it."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").iterdir())


def command_for(example, folder):
    """A program is run by Python, a document by our command."""
    if example.suffix == ".py":
        return [sys.executable, example]
    return [sys.executable, "-m", "cellblock", "run", example, "--output-dir", folder, "--html"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(example, tmp_path):
    run = subprocess.run(
        command_for(example, tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    if example.suffix != ".py":
        notebook = nbformat.read(tmp_path / f"{example.stem}.ipynb", as_version=4)
        nbformat.validate(notebook)
        assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
        assert "</html>" in (tmp_path / f"{example.stem}.html").read_text()
