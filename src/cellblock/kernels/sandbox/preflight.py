"""Whether sandboxes can be had here, and what mends it where they cannot."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cellblock.kernels.sandbox.bubblewrap import Plan, command
from cellblock.kernels.sandbox.descriptors import Descriptors
from cellblock.kernels.sandbox.find_bubblewrap import OTHERWISE, unavailable

if TYPE_CHECKING:
    from cellblock.kernels.sandbox.interpreter import Interpreter

__all__ = ["check_once"]

_TRIED_WITHIN = 30.0  # seconds
_LANDLOCK_CREATE_RULESET, _LANDLOCK_VERSION = 444, 1  # landlock_create_ruleset(2); the same on all machines


@functools.cache
def check_once(interpreter: Interpreter, *, as_root: bool) -> None:
    """Builds a sandbox as a kernel's, but for its workspace, and runs nothing in it; after a success never again.

    Args:
        interpreter: The kernel's.
        as_root: Whether it is to be built with root's rights.

    Raises:
        SandboxUnavailable: It cannot be built; the message says why and what mends it.
    """
    with tempfile.TemporaryDirectory(prefix="cellblock-") as folder, Descriptors() as passed:
        plan = Plan(interpreter, Path(folder), (), (), 0 if as_root else None)
        argv = [*command(plan, passed), "--", "/bin/true"]
        try:
            tried = subprocess.run(
                argv,
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                pass_fds=passed.all,
                timeout=_TRIED_WITHIN,
            )
        except subprocess.TimeoutExpired:
            raise unavailable(f"bubblewrap built none within {_TRIED_WITHIN:g} s", OTHERWISE) from None
    if tried.returncode != 0:
        said = tried.stderr.decode(errors="replace").strip().removeprefix("bwrap: ") or f"exit code {tried.returncode}"
        raise unavailable(f'bubblewrap failed ("{said}")', _remedy(said))
    _check_landlock()


def _check_landlock() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION) > 0:
        return
    if ctypes.get_errno() == errno.EOPNOTSUPP:
        raise unavailable("Landlock is switched off", "Add landlock to `lsm=` on the command line of the Linux kernel.")
    raise unavailable(
        f"Linux {platform.release()} has no Landlock here",
        "It needs Linux 5.13 or later, built with CONFIG_SECURITY_LANDLOCK, and in a container an engine that allows it. "
        f"{OTHERWISE}",
    )


def _remedy(said: str) -> str:
    """What to do about a failure, from what bubblewrap said and what the system forbids."""
    if "source path" in said or "No such file" in said:
        return (
            "A folder that the interpreter or read_only needs cannot be read by this user: "
            "use an interpreter outside of other users' homes."
        )
    if "seccomp" in said:
        return "The Linux kernel here has no seccomp filters (CONFIG_SECCOMP_FILTER)."
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor forbids user namespaces: allow them to bubblewrap with a profile in /etc/apparmor.d "
            "(`userns,` for /usr/bin/bwrap), or to all with `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`."
        )
    if _setting("kernel/unprivileged_userns_clone") == "0":
        return "User namespaces are switched off: `sudo sysctl -w kernel.unprivileged_userns_clone=1`."
    if _setting("user/max_user_namespaces") == "0":
        return "User namespaces are switched off: `sudo sysctl -w user.max_user_namespaces=15000`."
    if _in_container():
        return (
            "This is a container whose engine forbids it: run it with `--security-opt seccomp=unconfined --security-opt "
            "systempaths=unconfined` as an ordinary user, or give the code a container of its own: DockerJupyterServer."
        )
    return OTHERWISE


def _setting(name: str) -> str:
    file = Path("/proc/sys", name)
    return file.read_text(encoding="ascii").strip() if file.exists() else ""


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists() or "container" in os.environ
