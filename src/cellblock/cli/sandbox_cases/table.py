"""The table of all cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellblock.cli.sandbox_cases.file_cases import FILES
from cellblock.cli.sandbox_cases.limit_cases import LIMITS
from cellblock.cli.sandbox_cases.network_cases import NETWORK
from cellblock.cli.sandbox_cases.output_cases import OUTPUTS
from cellblock.cli.sandbox_cases.process_cases import PROCESSES
from cellblock.cli.sandbox_cases.secret_cases import SECRETS
from cellblock.cli.sandbox_cases.session_cases import SESSION
from cellblock.cli.sandbox_cases.surface_cases import SURFACE

if TYPE_CHECKING:
    from cellblock.cli.sandbox_cases.case import Case

__all__ = ["ALL_CASES"]

_GROUPS = (SECRETS, FILES, SURFACE, NETWORK, LIMITS, PROCESSES, SESSION, OUTPUTS)

ALL_CASES: tuple[Case, ...] = tuple(case for group in _GROUPS for case in group.all)
"""Every case, by group."""
