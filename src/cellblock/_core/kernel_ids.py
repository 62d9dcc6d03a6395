"""Ids for the kernels we start on servers: they tell whose a kernel is, so that a leftover one can be found.

A server lists kernels by id only, and lets a client choose the id. Source of the form: the pattern of Jupyter Server's
kernel URLs, five words joined by hyphens.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

__all__ = ["KernelOwner", "as_word", "kernel_id_for", "kernel_owner"]

_PREFIX = "cellblock"


@dataclass(frozen=True, slots=True)
class KernelOwner:
    """Who started a kernel.

    Attributes:
        label: What its owner called it, or an empty string.
        host: The owner's machine.
        pid: The owner's process.
    """

    label: str
    host: str
    pid: int


def kernel_id_for(owner: KernelOwner) -> str:
    """A new id that names the owner: ``cellblock-analysis-my_laptop-4711-5f0c…``."""
    words = (as_word(owner.label) or "_", as_word(owner.host) or "_", str(owner.pid), uuid.uuid4().hex)
    return "-".join((_PREFIX, *words))


def kernel_owner(kernel_id: str) -> KernelOwner | None:
    """Who started the kernel of an id; None for ids that are not of our making."""
    prefix, *words = kernel_id.split("-")
    if prefix != _PREFIX or len(words) != 4 or not words[2].isdecimal():
        return None
    label, host, pid, _ = words
    return KernelOwner("" if label == "_" else label, "" if host == "_" else host, int(pid))


def as_word(text: str) -> str:
    """A label or host as it is in an id: letters, digits and underscores.

    Args:
        text: What it is called.
    """
    return re.sub(r"\W+", "_", text, flags=re.ASCII)[:40]
