"""Where there is no sandbox to be had, the error names the cause and what mends it; code never runs without one."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cellblock.errors import ConfigError, SandboxUnavailable
from cellblock.kernels.kernelspec import KernelSpec
from cellblock.kernels.sandbox import find_bubblewrap, preflight
from cellblock.kernels.sandbox.interpreter import examine
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox

_PROGRAM = """
import sys
from cellblock import Session
from cellblock.errors import SandboxUnavailable
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox
with Session(LocalKernel(launcher=SandboxLauncher(Sandbox()))) as session:
    try:
        session.run("open('/ran', 'w')")
    except SandboxUnavailable as error:
        print(error)
"""

_WITHOUT_LANDLOCK = """
import ctypes, struct
instruction = lambda code, value, yes=0, no=0: struct.pack("=HBBI", code, yes, no, value)
refused = b"".join(instruction(0x15, call, 0, 1) + instruction(0x06, 0x50000 | {number}) for call in (444, 445, 446))
code = instruction(0x20, 0) + refused + instruction(0x06, 0x7FFF0000)
class Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.byref(Filter(len(code) // 8, code)), 0, 0) == 0
"""
"""Makes a process, and all that it starts, one of a Linux that answers calls of Landlock with an error."""


def _said_with(path, *, before="", **environment):
    ran = subprocess.run(
        [sys.executable, "-c", before + _PROGRAM],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not Path("/ran").exists()
    return ran.stdout


def _bubblewrap_that(tmp_path, script):
    """A bwrap that fails as others' machines make it fail."""
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(tmp_path)


def test_without_bubblewrap_it_says_how_to_install_it(tmp_path):
    assert _said_with(str(tmp_path)) == (
        "A sandboxed kernel was wanted, but bubblewrap is not installed. Install it: `apt install bubblewrap`, "
        "`dnf install bubblewrap` or `pacman -S bubblewrap`.\n"
    )


def test_an_old_bubblewrap_is_refused(tmp_path):
    said = _said_with(_bubblewrap_that(tmp_path, "echo bubblewrap 0.6.1"))
    assert f"the bubblewrap at {tmp_path}/bwrap is 0.6.1 and 0.8 is needed" in said


def test_a_bubblewrap_that_does_not_run_is_named(tmp_path):
    (tmp_path / "bwrap").write_text("no program")
    (tmp_path / "bwrap").chmod(0o755)
    said = _said_with(str(tmp_path))
    assert f"the bubblewrap at {tmp_path}/bwrap does not run ([Errno 8] Exec format error" in said
    assert "Install it again: `apt install bubblewrap`" in said


def test_a_bubblewrap_that_says_nothing_is_named(tmp_path):
    said = _said_with(_bubblewrap_that(tmp_path, "exit 0"))
    assert f"the bubblewrap at {tmp_path}/bwrap does not say its version. Install it again" in said


def test_a_bubblewrap_that_does_not_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", _bubblewrap_that(tmp_path, "exec /bin/cat /dev/zero >&2"))
    monkeypatch.setattr(find_bubblewrap, "_ANSWERS_WITHIN", 0.01)
    find_bubblewrap.find_bubblewrap.cache_clear()
    with pytest.raises(SandboxUnavailable, match=r"does not run .* timed out"):
        find_bubblewrap.find_bubblewrap()


def test_a_sandbox_that_is_never_built_is_given_up(tmp_path, monkeypatch):
    script = '[ "$1" = --version ] && { echo bubblewrap 0.8.0; exit; }\nexec /bin/cat /dev/zero >/dev/null'
    monkeypatch.setenv("PATH", _bubblewrap_that(tmp_path, script))
    monkeypatch.setattr(preflight, "_TRIED_WITHIN", 0.01)
    find_bubblewrap.find_bubblewrap.cache_clear()
    preflight.check_once.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match=r"bubblewrap built none within 0\.01 s"):
            preflight.check_once(examine(sys.executable), as_root=os.getuid() == 0)
    finally:
        find_bubblewrap.find_bubblewrap.cache_clear()


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSYS, "It needs Linux 5.13 or later"),
        (errno.EOPNOTSUPP, "Add landlock to `lsm=` on the command line of the Linux kernel."),
    ],
)
def test_a_linux_without_landlock_is_told_apart_before_anything_runs(number, remedy):
    said = _said_with(os.environ["PATH"], before=_WITHOUT_LANDLOCK.format(number=number))
    assert said.startswith("A sandboxed kernel was wanted, but L")
    assert "Landlock" in said
    assert remedy in said


def test_forbidden_user_namespaces_are_named(tmp_path):
    script = """
[ "$1" = --version ] && { echo bubblewrap 0.8.0; exit; }
echo 'bwrap: No permissions to create new namespace' >&2; exit 1
"""
    said = _said_with(_bubblewrap_that(tmp_path, script))
    assert 'bubblewrap failed ("No permissions to create new namespace")' in said


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "/etc/apparmor.d"),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
    ],
)
def test_what_the_system_forbids_comes_with_what_allows_it(monkeypatch, setting, value, remedy):
    monkeypatch.setattr(preflight, "_setting", lambda name: value if name == setting else "")
    assert remedy in preflight._remedy("setting up uid map: Permission denied")


def test_a_container_that_forbids_it_is_told_how_to_be_started(monkeypatch):
    monkeypatch.setattr(preflight, "_setting", lambda _: "")
    monkeypatch.setenv("container", "podman")
    assert "--security-opt seccomp=unconfined" in preflight._remedy("Creating new namespace failed")


@pytest.mark.parametrize(
    ("name", "value", "cause"), [("platform", "darwin", "Linux"), ("machine", "riscv64", "riscv64")]
)
def test_other_systems_and_processors_are_named(monkeypatch, name, value, cause):
    find_bubblewrap.find_bubblewrap.cache_clear()
    if name == "platform":
        monkeypatch.setattr(sys, "platform", value)
    else:
        monkeypatch.setattr(find_bubblewrap.platform, "machine", lambda: value)
    with pytest.raises(SandboxUnavailable, match=cause) as caught:
        find_bubblewrap.find_bubblewrap()
    assert "DockerJupyterServer" in str(caught.value)


@pytest.mark.anyio
async def test_a_kernel_of_another_language_is_refused():
    launcher = SandboxLauncher(Sandbox())
    with pytest.raises(ConfigError, match=r"runs Python kernels \(ipykernel\) only, and bash is none"):
        async with launcher.launch(KernelSpec("bash", ("bash_kernel",)), None, {}):
            pass


@pytest.mark.anyio
async def test_a_working_directory_outside_of_the_workspace_is_refused(tmp_path):
    launcher = SandboxLauncher(Sandbox(workspace=tmp_path))
    spec = KernelSpec("python3", ("python", "-m", "ipykernel_launcher", "-f", "{connection_file}"))
    with pytest.raises(ConfigError, match="must be in its workspace"):
        async with launcher.launch(spec, "/usr", {}):
            pass


def test_an_interpreter_is_found_with_all_it_needs():
    found = examine(sys.executable)
    assert all(any(Path(p).is_relative_to(f) for f in (*found.folders, "/usr")) for p in (sys.prefix, sys.base_prefix))
    assert examine("/usr/bin/python3").folders == ()


def test_an_interpreter_that_shares_its_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "python"
    program.write_text(f'#!/bin/sh\necho \'{{"prefixes": ["{tmp_path}"], "user_site": null}}\'\n')
    program.chmod(0o755)
    with pytest.raises(SandboxUnavailable, match="is not installed in a folder of its own"):
        examine(str(program))


def test_an_interpreter_that_does_not_run_is_named(tmp_path):
    with pytest.raises(SandboxUnavailable, match=f"its interpreter {tmp_path}/none did not say where its files are"):
        examine(str(tmp_path / "none"))
