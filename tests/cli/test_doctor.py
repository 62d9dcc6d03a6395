"""``cellblock doctor``, ``--help`` and ``--version``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellblock import __version__
from cellblock.cli.checks import EXTRAS, REQUIRED

if TYPE_CHECKING:
    from conftest import Program

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[; ]", requirement)[0] for requirement in requirements} - {"cellblock"}


def test_what_works_here(cellblock: Program) -> None:
    done = cellblock("doctor")
    assert done.returncode == 0
    assert re.search(r"✓ +embedded kernel +1 \+ 1 is 2", done.stdout)
    assert sys.executable in done.stdout.replace("\n", "")
    assert re.search(r"[^\x20-\x7e\n✓·✗]", done.stdout) is None
    assert done.stdout.rstrip().endswith("Code can be run here.")


def test_as_json(cellblock: Program) -> None:
    found = json.loads(cellblock("doctor", "--json").stdout)
    assert found["works"] is True
    back_ends = {finding["name"]: finding["state"] for finding in found["findings"] if finding["group"] == "Back ends"}
    assert back_ends["embedded kernel"] == "ok"
    missing = [finding for finding in found["findings"] if finding["state"] != "ok"]
    assert all(finding["advice"] for finding in missing)


def test_a_kernel_that_does_not_start_is_found(cellblock: Program) -> None:
    """A package of the same name, as a file left in the folder, breaks every kernel."""
    cellblock.write("ipykernel.py", "raise RuntimeError('not the real one')")
    before = cellblock.environment()
    broken = before | {"PYTHONPATH": os.pathsep.join([str(cellblock.folder), before.get("PYTHONPATH", "")])}
    done = cellblock("doctor", environment=broken)
    assert done.returncode == 1
    assert re.search(r"✗ +embedded kernel", done.stdout)
    assert "Code cannot be run here yet" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_broken_kernelspec_is_a_finding_among_others(cellblock: Program) -> None:
    folder = cellblock.folder / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text('{"argv": "no list"}')
    done = cellblock("doctor", "--json", environment=cellblock.environment() | {"JUPYTER_PATH": str(cellblock.folder)})
    assert (done.returncode, done.stderr) == (1, "")
    failed = {f["name"]: f["detail"] for f in json.loads(done.stdout)["findings"] if f["state"] == "failed"}
    for name in ("python3", "embedded kernel", "fork server", "sandboxed kernel", "local server"):
        assert "The kernelspec python3 cannot be used" in failed[name]


def test_a_bubblewrap_that_does_not_run_is_a_finding(cellblock: Program) -> None:
    program = cellblock.write("bwrap", "no program")
    program.chmod(0o755)
    path = os.pathsep.join([str(cellblock.folder), os.environ["PATH"]])
    done = cellblock("doctor", "--json", environment=cellblock.environment() | {"PATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert findings["sandboxed kernel"]["state"] == "failed"
    assert "does not run" in findings["sandboxed kernel"]["detail"]


def test_it_knows_the_projects_own_packages() -> None:
    assert set(REQUIRED) == names(PROJECT["dependencies"])
    extras = PROJECT["optional-dependencies"]
    assert {extra: set(packages) for extra, packages in EXTRAS.items()} == {
        extra: names(extras[extra]) for extra in EXTRAS
    }
    assert set(extras) - set(EXTRAS) == {"all", "jupyter-executor"}  # these only name others


def test_version_and_help_are_quick_and_complete(cellblock: Program) -> None:
    assert cellblock("--version").stdout == f"cellblock {__version__}\n"
    shown = cellblock("--help").stdout
    for command in ("run", "exec", "doctor"):
        assert command in shown
        assert "--help" in cellblock(command, "--help").stdout


def test_help_imports_nothing_heavy() -> None:
    heavy = ("zmq", "pydantic", "markdown_it", "jupyter_client", "nbformat", "asyncio")
    code = f"import sys; from cellblock.cli import app; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_every_back_end_of_this_machine_is_tried(cellblock: Program) -> None:
    found = json.loads(cellblock("doctor", "--json").stdout)
    states = {finding["name"]: finding for finding in found["findings"] if finding["group"] == "Back ends"}
    for name in ("embedded kernel", "sandboxed kernel", "local server"):
        assert states[name]["state"] == "ok", states[name]
        assert states[name]["detail"].startswith("1 + 1 is 2")


@pytest.mark.docker(alone=True)
def test_clean_says_that_nothing_was_left(cellblock: Program) -> None:
    cellblock("doctor", "--clean")
    done = cellblock("doctor", "--clean")
    assert (done.returncode, done.stdout) == (0, "No container was left behind.\n")


def test_help_names_every_command(cellblock: Program) -> None:
    shown = cellblock("--help").stdout
    for command in ("run", "exec", "chat", "serve", "kernels", "install-kernel", "doctor"):
        assert re.search(rf"^\W*{command} ", shown, re.MULTILINE), command
