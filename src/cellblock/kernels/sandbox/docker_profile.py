"""The same rules on system calls as a sandbox's, for containers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from cellblock.kernels.sandbox.seccomp_rules import (
    CONDITIONAL,
    MISSING,
    MISSING_ERRNO,
    REFUSED,
    REFUSED_ERRNO,
    Condition,
)
from cellblock.kernels.sandbox.syscalls import known_syscalls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["docker_seccomp_profile"]


def docker_seccomp_profile() -> dict[str, Any]:
    """A seccomp profile for ``docker run --security-opt seccomp=FILE``, to be written as JSON.

    It names what is allowed, so that calls which a later Linux adds are refused. Source of the format: Docker's "Seccomp
    security profiles" (https://docs.docker.com/engine/security/seccomp/).
    """
    free = known_syscalls() - REFUSED - MISSING - CONDITIONAL.keys()
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": REFUSED_ERRNO,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
        ],
        "syscalls": [
            {"names": sorted(free), "action": "SCMP_ACT_ALLOW"},
            {
                "names": sorted(MISSING),
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": MISSING_ERRNO,
            },
            *(
                {"names": [name], "action": "SCMP_ACT_ALLOW", "args": _arguments(conditions)}
                for name, alternatives in sorted(CONDITIONAL.items())
                for alternative in alternatives
                for conditions in _without_negations(alternative)
            ),
        ],
    }


def _without_negations(conditions: Sequence[Condition]) -> Iterator[tuple[Condition, ...]]:
    """Alternatives that say the same with no condition negated: a profile's "not equal" compares 64 bits, Linux 32 of them.

    Args:
        conditions: Those that are negated are of one argument, and look at all of its bits.
    """
    refused = [condition for condition in conditions if condition.negated]
    others = tuple(condition for condition in conditions if not condition.negated)
    if not refused:
        yield others
        return
    argument, values = refused[0].argument, {condition.value for condition in refused}
    differing = []
    for bit in (1 << place for place in range(32)):
        if len({value & bit for value in values}) == 1:
            yield (*others, Condition(argument, bit & ~min(values), bit))
        else:
            differing.append(bit)
    for taken in itertools.product((False, True), repeat=len(differing)):
        value = min(values) & ~sum(differing) | sum(itertools.compress(differing, taken))
        if value not in values:
            yield (*others, Condition(argument, value))


def _arguments(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    return [{"index": c.argument, "value": c.mask, "valueTwo": c.value, "op": "SCMP_CMP_MASKED_EQ"} for c in conditions]
