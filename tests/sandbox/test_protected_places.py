"""What the host runs, or has shown as read only, stays as it is also where it is in the workspace."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from cellblock.errors import ConfigError, SandboxUnavailable
from cellblock.kernels.sandbox import protected
from cellblock.kernels.sandbox.interpreter import examine

pytestmark = pytest.mark.anyio

_PACKAGE = Path(protected.__file__).parents[2]
_TRY = """
import os
def tried(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.strerror
    return "done"
"""
_KINDS = pytest.mark.parametrize("env", [{}, {"LC_ALL": "C.UTF-8"}], ids=["forked", "spawned"])


@pytest.fixture
def host_secret(tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("private")
    return secret


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    (folder / "sub" / "deeper" / "data").mkdir(parents=True)
    (folder / "sub" / "deeper" / "data" / "table.csv").write_text("given")
    return folder


@_KINDS
async def test_a_folder_above_a_read_only_one_cannot_be_moved_away(make_session, workspace, env):
    data = workspace / "sub" / "deeper" / "data"
    async with make_session(workspace=workspace, read_only=[data], env=env) as session:
        for way in ("sub", "sub/deeper", "sub/deeper/data"):
            assert (
                await session.run(f"{_TRY}tried(os.rename, {way!r}, {way + '-moved'!r})")
            ).text == "'Device or resource busy'"
        assert (await session.run("open('sub/deeper/mine', 'w').write('x')")).text == "1"  # they can be written to
        await session.restart()
        assert (await session.run(f"open('{data}/table.csv').read()")).text == "'given'"


@_KINDS
async def test_a_link_that_is_made_to_lead_elsewhere_is_not_followed(make_session, workspace, host_secret, env):
    (workspace / "named").symlink_to("sub")
    async with make_session(workspace=workspace, read_only=[workspace / "named"], env=env) as session:
        assert (await session.run(f"import os\nos.listdir('{workspace}/named')")).text == "['deeper']"
        await session.run(f"os.unlink('named'); os.symlink({str(host_secret)!r}, 'named')")
        with pytest.raises(SandboxUnavailable, match="not any more what it was when the Sandbox was made"):
            await session.restart()


async def test_a_read_only_folder_that_was_exchanged_in_the_workspace_is_not_shown(make_session, workspace):
    data = workspace / "sub" / "deeper" / "data"
    async with make_session(workspace=workspace, read_only=[data]) as session:
        data.rename(workspace / "moved")  # as a session could that has the same workspace, but not this to be kept
        data.mkdir()
        with pytest.raises(SandboxUnavailable, match=r"data, but that is not any more what it was"):
            await session.run("1")


async def test_read_only_files_outside_of_the_workspace_may_be_exchanged_by_the_host(make_session, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("old")
    async with make_session(read_only=[table]) as session:
        (tmp_path / "new.csv").write_text("new")
        (tmp_path / "new.csv").replace(table)
        assert (await session.run(f"open({str(table)!r}).read()")).text == "'new'"


_WITH_INTERPRETER = f"""
import os, sys
from cellblock import Sandbox, Session
workspace = sys.argv[1]
shown = [folder for folder in sys.argv[2:] if folder]
with Session(sandbox=Sandbox(workspace=workspace, read_only=shown), timeout=60) as session:
    session.run({_TRY!r})
    print(session.run("tried(os.rename, 'backend', 'moved')").text)
    print(session.run("tried(os.rename, 'backend/.venv', 'backend/moved')").text)
    print(session.run("tried(open, 'backend/.venv/bin/python', 'w')").text)
"""
_WITH_PACKAGE = f"""
import os, sys
from cellblock import Sandbox, Session
with Session(sandbox=Sandbox(workspace=sys.argv[1]), timeout=60) as session:
    session.run({_TRY!r})
    print(session.run("tried(os.rename, 'vendored', 'moved')").text)
    print(session.run("tried(os.rename, 'vendored/cellblock', 'vendored/moved')").text)
    print(session.run("tried(open, 'vendored/cellblock/kernels/kernel_program/fork_server.py', 'w')").text)
"""
_HELD = ["'Device or resource busy'", "'Device or resource busy'", "'Read-only file system'"]


def _printed(*command, env):
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, env={**os.environ, **env}, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_this_processs_interpreter_in_the_workspace_cannot_be_replaced(tmp_path):
    environment = tmp_path / "backend" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=60)
    packages = next((environment / "lib").glob("python*")) / "site-packages"
    packages.rmdir()
    packages.symlink_to(sysconfig.get_path("purelib"))
    python = environment / "bin" / "python"
    # What the environment links to is elsewhere, so it must be shown.
    held = _printed(
        python,
        "-c",
        _WITH_INTERPRETER,
        tmp_path,
        sysconfig.get_path("purelib"),
        env={"PYTHONPATH": str(_PACKAGE.parent)},
    )
    assert held == _HELD


def test_this_program_in_the_workspace_cannot_be_changed(tmp_path):
    shutil.copytree(_PACKAGE, tmp_path / "vendored" / "cellblock", ignore=shutil.ignore_patterns("__pycache__"))
    env = {"PYTHONPATH": str(tmp_path / "vendored"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert _printed(sys.executable, "-c", _WITH_PACKAGE, tmp_path, env=env) == _HELD


def test_a_workspace_within_what_the_host_runs_is_refused():
    with pytest.raises(ConfigError, match=r"workspace cannot be .*sandbox: it is a part of .*cellblock, from which"):
        protected.check(examine(sys.executable), Path(protected.__file__).parent)


def test_a_link_in_the_workspace_that_leads_to_what_the_host_runs_is_refused(tmp_path, monkeypatch):
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ConfigError, match="python in it is a symbolic link that leads to what this process runs"):
        protected.check(examine(os.path.realpath(sys.executable)), tmp_path)
