"""Finding a kernelspec by name.

jupyter_client does this too, but importing it costs more than a third of a kernel's start; the format is a JSON file in a
known place. Source: "Making kernels for Jupyter", Kernel specs
(https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs).
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellblock.errors import ConfigError, KernelSpecNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["KernelSpec", "find_kernelspec", "is_kernelspec_name", "kernelspec_names"]

NATIVE = "python3"
_NAME = re.compile(r"(?!\.+$)[\w.-]{1,200}", re.ASCII)  # what jupyter_client takes for one
_PLACE = re.compile(r"\{(\w+)\}")
_IPYKERNEL_ARGV = ("-m", "ipykernel_launcher", "-f", "{connection_file}")


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """How to start kernels of one kind.

    Attributes:
        name: What the kernelspec is asked for by.
        argv: The command, with ``{connection_file}`` in it and perhaps ``{resource_dir}`` or ``{prefix}``.
        language: Of the code it runs, as in "python".
        env: Environment variables the kernel gets beside the caller's.
        interrupt_mode: "signal" or "message".
        metadata: Free-form; may name a kernel provisioner.
        folder: Where its file is; empty for one that has no file.
    """

    name: str
    argv: tuple[str, ...]
    language: str = "python"
    env: Mapping[str, str] = field(default_factory=dict)
    interrupt_mode: str = "signal"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""

    @property
    def runs_ipykernel(self) -> bool:
        """Whether the command is a Python interpreter that runs ipykernel and nothing else."""
        plain = tuple(a for a in self.argv[1:] if a != "-Xfrozen_modules=off")
        return plain == _IPYKERNEL_ARGV

    @property
    def interpreter(self) -> str:
        """The program of the command; a bare "python" means the interpreter this process runs on, as in Jupyter."""
        bare = {"python", f"python{sys.version_info[0]}", f"python{sys.version_info[0]}.{sys.version_info[1]}"}
        return sys.executable if self.argv[0] in bare else self.argv[0]

    def command(self, connection_file: str) -> list[str]:
        """The command that starts a kernel.

        Args:
            connection_file: What the kernel reads its ports and key from.
        """
        known = {"connection_file": connection_file, "resource_dir": self.folder, "prefix": sys.prefix}
        filled = (_PLACE.sub(lambda place: known.get(place[1], place[0]), arg) for arg in self.argv[1:])
        return [self.interpreter, *filled]


def find_kernelspec(name: str) -> KernelSpec:
    """The kernelspec of that name, from Jupyter's data folders.

    "python3" is always there: without an installed kernelspec it is this interpreter's ipykernel.

    Args:
        name: Such as "python3" or "bash".

    Raises:
        KernelSpecNotFound: There is none; the message lists those there are.
        ConfigError: There is one, but its file is broken.
    """
    for folder in _folders():
        file = folder / name / "kernel.json"
        if is_kernelspec_name(name) and file.is_file():
            return _read(name, file)
    if name == NATIVE:
        return KernelSpec(NATIVE, ("python", *_IPYKERNEL_ARGV))
    raise KernelSpecNotFound(
        f"Kernel {name} is not installed. Please first install it with "
        f"`python -m ipykernel install --user --name {name}`, "
        f"or use one of those installed: {', '.join(kernelspec_names())}."
    )


def is_kernelspec_name(name: str) -> bool:
    """Whether a kernelspec can have that name, which is its folder's, too.

    Args:
        name: Such as "python3".
    """
    return _NAME.fullmatch(name) is not None


def kernelspec_names() -> list[str]:
    """The names of all kernelspecs found here, sorted."""
    found = {file.parent.name for folder in _folders() for file in folder.glob("*/kernel.json")}
    return sorted(found | {NATIVE})


def _folders() -> Iterator[Path]:
    from jupyter_core.paths import jupyter_path

    return map(Path, jupyter_path("kernels"))


def _read(name: str, file: Path) -> KernelSpec:
    try:
        spec = json.loads(file.read_text(encoding="utf-8"))
        return KernelSpec(
            name=name,
            argv=_command(spec["argv"]),
            language=str(spec.get("language", "")).lower(),
            env={str(k): str(v) for k, v in spec.get("env", {}).items()},
            interrupt_mode=spec.get("interrupt_mode", "signal"),
            metadata=spec.get("metadata", {}),
            folder=str(file.parent),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"The kernelspec {name} cannot be used: {file} is broken ({error}). Install it again."
        ) from None


def _command(argv: Any) -> tuple[str, ...]:
    if not isinstance(argv, list) or not argv or not all(isinstance(arg, str) for arg in argv):
        raise ValueError("argv is no list of texts")
    return tuple(argv)
