"""When a forked kernel is the same as one that was started, and when it is not.

What an interpreter, the C library or a package reads from the environment while it starts cannot change afterwards, and
a forked kernel has started already.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cellblock.kernels.kernelspec import KernelSpec

__all__ = ["is_own", "read_at_start", "why_no_spare", "why_not_forked", "why_not_set_later"]

_READ_AT_START = ("PYTHON", "LD_", "GLIBC_", "MALLOC_", "LC_", "LANG", "OPENSSL_")
_READ_BY_PACKAGES = (
    *("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "MKL_", "BLIS_", "VECLIB_", "NPY_", "NUMEXPR_", "NUMBA_"),
    *("MPL", "TORCH_", "PYTORCH_", "CUDA_", "TF_", "JAX_", "XLA_", "ARROW_", "RAYON_", "HOME", "XDG_"),
)
_READ_BY_THE_KERNEL = ("IPYTHON", "JUPYTER", "HOME", "XDG_")


def why_not_forked(
    spec: KernelSpec, *, env: Mapping[str, str] | None = None, preload: Sequence[str] = ()
) -> str | None:
    """Why a kernel has to be started instead of forked, in a sentence; None if it can be forked.

    Args:
        spec: What is to run.
        env: Environment variables it is to have beside the caller's.
        preload: The packages that the fork server has imported.
    """
    if sys.platform != "linux":
        return f"Kernels are forked on Linux only, and this is {sys.platform}."
    if not spec.runs_ipykernel:
        return f"The kernelspec {spec.name} does not run ipykernel by itself."
    if not is_own(spec.interpreter):
        return f"The kernelspec {spec.name} runs on another interpreter than this process: {spec.interpreter}."
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if any(folder and not Path(folder).is_absolute() for folder in folders):
        return "PYTHONPATH has relative folders, which mean others in each working directory."
    return why_not_set_later([name for name, value in (env or {}).items() if os.environ.get(name) != value], preload)


def why_not_set_later(changed: Iterable[str], preload: Sequence[str] = ()) -> str | None:
    """Why environment variables cannot be changed after a start, in a sentence; None if they can.

    Args:
        changed: Their names.
        preload: Packages that were imported at the start.
    """
    own = tuple(f"{name.partition('.')[0].upper()}_" for name in preload)
    return _why_not_read_later(changed, (*_READ_AT_START, *((*_READ_BY_PACKAGES, *own) if preload else ())))


def why_no_spare(env: Mapping[str, str], had: Mapping[str, str] | None = None) -> str | None:
    """Why a kernel that has made itself ready cannot be given out, in a sentence; None if it can.

    Args:
        env: Environment variables it is to have beside those it has.
        had: Those it has; the caller's if not given.
    """
    before = os.environ if had is None else had
    return _why_not_read_later([name for name in env if before.get(name) != env[name]], _READ_BY_THE_KERNEL)


def read_at_start(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The part of an environment that every kernel of one fork server has in common.

    Args:
        environment: The whole of it.
    """
    prefixes = (*_READ_AT_START, *_READ_BY_PACKAGES)
    return tuple(sorted((name, value) for name, value in environment.items() if name.startswith(prefixes)))


def _why_not_read_later(changed: Iterable[str], prefixes: tuple[str, ...]) -> str | None:
    for name in changed:
        if name.startswith(prefixes):
            return f"The environment variable {name} is read when a kernel starts and has no effect later."
    return None


def is_own(interpreter: str) -> bool:
    """Whether it is this process's interpreter: the same file in the same folder, for that decides on the packages.

    Args:
        interpreter: A path.
    """
    if interpreter == sys.executable:
        return True
    theirs, ours = Path(interpreter), Path(sys.executable)
    return theirs.is_file() and theirs.parent.resolve() == ours.parent.resolve() and theirs.samefile(ours)
