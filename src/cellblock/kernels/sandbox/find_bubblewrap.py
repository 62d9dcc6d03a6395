"""The bubblewrap of this machine."""

from __future__ import annotations

import functools
import platform
import re
import shutil
import subprocess
import sys

from cellblock.errors import SandboxUnavailable
from cellblock.kernels.sandbox.seccomp import AUDIT_ARCHITECTURES

__all__ = ["OTHERWISE", "find_bubblewrap", "unavailable"]

OTHERWISE = "Or run the code in a container: DockerJupyterServer."
"""What is left where a sandbox cannot be had."""

_OLDEST = (0, 8)  # the first that can forbid user namespaces inside
_ANSWERS_WITHIN = 30.0  # seconds
_INSTALL = "`apt install bubblewrap`, `dnf install bubblewrap` or `pacman -S bubblewrap`"


@functools.cache
def find_bubblewrap() -> str:
    """The path of a bubblewrap that can build our sandboxes.

    Raises:
        SandboxUnavailable: There is none; the message says why and what mends it.
    """
    if sys.platform != "linux":
        raise unavailable(f"sandboxes are a feature of Linux and this is {platform.system()}", OTHERWISE)
    if platform.machine() not in AUDIT_ARCHITECTURES:
        machines = " and ".join(AUDIT_ARCHITECTURES)
        raise unavailable(f"there are filters of system calls for {machines}, not for {platform.machine()}", OTHERWISE)
    path = shutil.which("bwrap")
    if path is None:
        raise unavailable("bubblewrap is not installed", f"Install it: {_INSTALL}.")
    version = _version(path)
    if version[:2] < _OLDEST:
        found, least = (".".join(map(str, numbers)) for numbers in (version, _OLDEST))
        raise unavailable(
            f"the bubblewrap at {path} is {found} and {least} is needed", f"Install a newer one: {_INSTALL}."
        )
    return path


def unavailable(cause: str, remedy: str) -> SandboxUnavailable:
    """The error that says why there is no sandbox.

    Args:
        cause: As the end of a sentence, without its stop.
        remedy: What to do, as sentences.
    """
    return SandboxUnavailable(f"A sandboxed kernel was wanted, but {cause}. {remedy}")


def _version(path: str) -> tuple[int, ...]:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_ANSWERS_WITHIN, check=False)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise unavailable(
            f"the bubblewrap at {path} does not run ({error})", f"Install it again: {_INSTALL}."
        ) from None
    version = tuple(map(int, re.findall(r"\d+", said.stdout)))
    if not version:
        raise unavailable(f"the bubblewrap at {path} does not say its version", f"Install it again: {_INSTALL}.")
    return version
