"""What ``cellblock doctor --sandbox-check`` does: tries on this machine what sandboxed code must not be able to do."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from typing import TYPE_CHECKING

from cellblock.cli.sandbox_cases.case import Open
from cellblock.cli.sandbox_cases.host import Host
from cellblock.cli.sandbox_cases.runner import Outcome, try_cases
from cellblock.cli.sandbox_cases.table import ALL_CASES
from cellblock.errors import SandboxUnavailable
from cellblock.kernels.kernelspec import NATIVE
from cellblock.kernels.launch import DescriptorLauncher
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from cellblock.cli.sandbox_cases.case import Case
    from cellblock.kernels import Kernel
    from cellblock.kernels.launch import Launcher

__all__ = ["LIMITS", "check_sandbox", "outcomes", "sandboxed"]

LIMITS = Sandbox(memory="512M", pids=128, disk="64M")
"""What the cases may use, so that going too far is quick."""

_SPAWNED = {"LC_ALL": "C.UTF-8"}  # is read at a start, so an interpreter is started


def check_sandbox(*, as_json: bool = False, plain: bool = False) -> int:
    """Tries all cases in a sandbox and prints what came of each.

    Args:
        as_json: Print a JSON object for each case instead of lines.
        plain: Try them on a kernel without a sandbox instead, which shows what a sandbox is for.

    Returns:
        The exit status: 0 if all were held back, 1 if not, 2 if there is no sandbox to try.
    """
    show = _show_json if as_json else _show
    try:
        held = asyncio.run(_check(show, plain=plain))
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    if not as_json:
        print(f"{sum(held)} of {len(held)} held back.")
    return 0 if all(held) else 1


async def _check(show: Callable[[Outcome], None], *, plain: bool) -> list[bool]:
    held = []
    async for outcome in outcomes(plain=plain):
        show(outcome)
        held.append(outcome.held)
    return held


async def outcomes(
    cases: Sequence[Case] = ALL_CASES, *, plain: bool = False, spawned: bool = False
) -> AsyncIterator[Outcome]:
    """What comes of cases, in a sandbox or, of those that can be tried so, on a plain kernel.

    Args:
        cases: Which.
        plain: Whether without a sandbox.
        spawned: Whether in sandboxes whose kernels have an interpreter of their own; most have not.

    Raises:
        SandboxUnavailable: There is no sandbox to be had here.
    """
    chosen = [case for case in cases if case.open_to is not Open.UNTRIED] if plain else cases
    with Host(LIMITS.limits, is_plain=plain) as host:
        make = _plain if plain else functools.partial(sandboxed, env=_SPAWNED if spawned else {})
        async for outcome in try_cases(chosen, make, host):
            yield outcome


def sandboxed(workspace: Path, env: Mapping[str, str]) -> Kernel:
    """A kernel in a sandbox as users get it, but for its limits.

    Args:
        workspace: Its workspace.
        env: Its environment variables.
    """
    sandbox = Sandbox(
        workspace=workspace,
        read_only=[workspace / "project" / "environment"],
        memory=LIMITS.memory,
        pids=LIMITS.pids,
        disk=LIMITS.disk,
        env=env,
    )
    return LocalKernel(NATIVE, launcher=SandboxLauncher(sandbox))


def _plain(workspace: Path) -> Kernel:
    launcher: Launcher = DescriptorLauncher()
    return LocalKernel(NATIVE, cwd=workspace, launcher=launcher)


def _show(outcome: Outcome) -> None:
    mark = "held" if outcome.held else "NOT TRIED" if outcome.not_tried else "GOT THROUGH"
    said = outcome.got_through or outcome.not_tried
    # What code came by may hold anything; so repr().
    print(f"{mark:11}  {outcome.case.group}: the code {outcome.case.what}{f' ({said!r})' if said else ''}", flush=True)


def _show_json(outcome: Outcome) -> None:
    print(
        json.dumps(
            {
                "name": outcome.case.name,
                "group": outcome.case.group,
                "open_to": outcome.case.open_to,
                "held": outcome.held,
                "got_through": outcome.got_through,
                "not_tried": outcome.not_tried,
                "seconds": round(outcome.seconds, 3),
            }
        ),
        flush=True,
    )
