"""Trying cases on kernels."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cellblock.cli.sandbox_cases.judges import after_the_session, from_files, from_output, from_result, works_still
from cellblock.session import AsyncSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from cellblock.cli.sandbox_cases.case import Case
    from cellblock.cli.sandbox_cases.host import Host
    from cellblock.kernels import Kernel

__all__ = ["Outcome", "try_cases"]

_START = 60.0  # seconds
_HOST_MEMORY = 700 * 2**20  # bytes this process may grow by in one case


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case.

    Attributes:
        case: Which.
        got_through: What it got hold of or did; empty if it was held back.
        not_tried: Why it could not be tried; empty if it was.
        seconds: How long that took.
    """

    case: Case
    got_through: str
    not_tried: str
    seconds: float

    @property
    def held(self) -> bool:
        """Whether it was tried and held back."""
        return not self.got_through and not self.not_tried


async def try_cases(cases: Sequence[Case], make_kernel: Callable[[Path], Kernel], host: Host) -> AsyncIterator[Outcome]:
    """Tries cases one after the other; those that leave nothing of their kernel have one each.

    Args:
        cases: Which.
        make_kernel: Makes a kernel with a workspace.
        host: What there is to get hold of.
    """
    shared = [case for case in cases if not case.last]
    for batch in (*([shared] if shared else []), *([case] for case in cases if case.last)):
        workspace = host.workspace()
        host.call_when_it_listens(workspace)
        async with AsyncSession(
            make_kernel(workspace), timeout=_START, startup_code=host.prelude(), spool_dir=host.folder
        ) as session:
            outcomes = [await _try(case, session, host, workspace) for case in batch]
        lives_on = await after_the_session(workspace, is_plain=host.is_plain)
        for outcome in outcomes:
            yield replace(outcome, got_through=outcome.got_through or lives_on)


async def _try(case: Case, session: AsyncSession, host: Host, workspace: Path) -> Outcome:
    await session.start()
    began = time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = await session.run(case.code, timeout=case.seconds, user_expressions={"found": "found"})
    found, not_tried = from_result(case, result)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) * 1024
    harm = host.harm()  # asked every time, so that it is not laid to a later case
    found = found or harm or from_output(case, result, is_plain=host.is_plain) or from_files(case, workspace)
    found = found or await works_still(session)
    if not found and grown > _HOST_MEMORY:
        found = f"the host's process grew by {grown >> 20} MiB"
    return Outcome(case, found, not_tried, time.monotonic() - began)
