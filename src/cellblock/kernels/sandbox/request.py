"""What is known of a sandboxed kernel before it is started, whichever way it will be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellblock.kernels.sandbox import layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellblock.kernels.sandbox.bubblewrap import Plan
    from cellblock.kernels.sandbox.limiter import Limiter

__all__ = ["Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """One kernel to be started in a sandbox.

    Attributes:
        plan: What is to be built.
        limiter: Keeps its limits.
        cwd: The working directory, as it is called inside.
        given_env: The environment variables that all sandboxed kernels with these limits have.
        asked_env: Those that somebody asked for.
    """

    plan: Plan
    limiter: Limiter
    cwd: str
    given_env: Mapping[str, str]
    asked_env: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """All environment variables."""
        return {**self.given_env, **self.asked_env}

    @property
    def confinement(self) -> dict[str, Any]:
        """What ``kernel_program/sandbox`` is told, whichever way it starts the kernel."""
        environment = self.environment
        return {
            "uid": self.plan.uid,
            "rlimits": self.limiter.for_each_process,
            # A process that comes in from outside has those of the fork server's beginning.
            "processors": self.limiter.processors or sorted(os.sched_getaffinity(0)),
            "further_filter": self.limiter.filter.hex(),
            "writable": layout.WRITABLE,
            "proxy": layout.PROXY_PORT,
            "env": environment,
            "path": environment["PYTHONPATH"].split(":"),
            "program": layout.PROGRAM,
        }
