"""What a sandbox looks like from inside: its folders, its user, and its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellblock.kernels.sandbox.allowed_hosts import AllowedHosts
    from cellblock.kernels.sandbox.interpreter import Interpreter

__all__ = [
    "HOME",
    "MEMORY_FOLDERS",
    "PACKAGES",
    "PROGRAM",
    "PROXY_PORT",
    "TEMPORARY",
    "USER",
    "WORKSPACE",
    "WRITABLE",
    "environment",
]

WORKSPACE = "/workspace"
PACKAGES = f"{WORKSPACE}/.site"  # what pip installs: the interpreter's own folder is read-only
PROGRAM = "/run/cellblock"
TEMPORARY = "/tmp"  # noqa: S108 - the sandbox's own
HOME = "/home/user"
USER = "user"
WRITABLE = (WORKSPACE, TEMPORARY, HOME, "/dev")
MEMORY_FOLDERS = {"/dev/shm": 64, TEMPORARY: 256, HOME: 64}  # noqa: S108 - in MiB; files in memory
PROXY_PORT = 3128
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def environment(interpreter: Interpreter, threads: int, allowed: AllowedHosts) -> dict[str, str]:
    """The environment variables of every sandboxed kernel.

    Args:
        interpreter: The kernel's.
        threads: How many threads libraries may start to calculate with.
        allowed: The hosts it may connect to.
    """
    prefix = interpreter.prefix
    folders = [PACKAGES] if interpreter.user_site is None else [PACKAGES, str(interpreter.user_site)]
    proxy = f"http://127.0.0.1:{PROXY_PORT}"
    # What is allowed there is the host's and not the sandbox's own, and only the proxy leads to it.
    nearby = ",".join(name for name in _LOOPBACK if not allowed.lists(name))
    return {
        "PATH": f"{prefix}/bin:{PACKAGES}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "USER": USER,
        "LOGNAME": USER,
        "LANG": "C.UTF-8",
        "TMPDIR": TEMPORARY,
        "VIRTUAL_ENV": str(prefix),
        "PYTHONPATH": ":".join(folders),
        "PIP_TARGET": PACKAGES,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "1",  # without one it does not say what the proxy answered
        # Each takes one for every processor otherwise, however many there are, and memory for each.
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), nearby),
    }
