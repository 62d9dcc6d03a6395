"""What ``cellblock install-kernel`` does. Its options are declared in ``install_kernel``, so that ``--help`` is quick."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellblock.errors import ConfigError
from cellblock.kernels.kernelspec import is_kernelspec_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["install"]

_IMPORT_TIMEOUT = 120.0  # seconds for the packages to preload
_PROVISIONER = "cellblock-forkserver"
_AS_FORKED = "-Xfrozen_modules=off"  # how the fork server runs, so that kernels which are started are no different


def install(preload: Sequence[str], *, name: str, display_name: str, user: bool) -> int:
    """Installs the kernelspec and says where.

    Args:
        preload: Packages that its kernels have imported already.
        name: The kernelspec's name.
        display_name: What JupyterLab shows.
        user: Whether for all environments of this user instead of for this one.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: The name cannot be used, a package must not be preloaded, or the folder cannot be written to.
    """
    from ipykernel.kernelspec import write_kernel_spec
    from jupyter_client.kernelspec import KernelSpecManager

    if not is_kernelspec_name(name):
        raise ConfigError(
            f"A kernelspec's name is made of letters, digits and the characters . _ and -, and {name!r} is not."
        )
    if preload and sys.platform == "linux":
        from cellblock.kernels.forkserver.client import fork_server

        fork_server(preload).wait_until_ready(_IMPORT_TIMEOUT)
    try:
        with tempfile.TemporaryDirectory() as folder:
            overrides = {"display_name": display_name, "metadata": _metadata(preload)}
            made = write_kernel_spec(Path(folder, name), overrides, python_arguments=[_AS_FORKED])
            where = KernelSpecManager().install_kernel_spec(made, name, user=user, prefix=None if user else sys.prefix)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The kernelspec {name} could not be installed: {error}") from None
    print(f"installed the kernel {name} in {where}")
    if sys.platform != "linux":
        print("Kernels are forked on Linux only; here they start as any other kernel does.")
    return 0


def _metadata(preload: Sequence[str]) -> dict[str, Any]:
    from ipykernel.kernelspec import get_kernel_dict

    config = {"preload": list(preload)}
    return {
        **get_kernel_dict()["metadata"],
        "kernel_provisioner": {"provisioner_name": _PROVISIONER, "config": config},
    }
