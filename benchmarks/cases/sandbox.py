"""What a sandbox costs: new kernels and cells, beside the same without one."""

from __future__ import annotations

from benchmarks.cases import Case, Promise

CASES = [
    Case(
        name="sandbox-pool",
        title="A kernel from a pool and its first result, in a sandbox and without",
        measure="first_result",
        contenders=("sandboxed-pooled", "pooled", "jupyter_client"),
        arguments={"code": "1 + 1"},
        rounds=15,
        promises=(Promise("seconds", "sandboxed-pooled", than="pooled", at_least=1 / 1.15),),
    ),
    Case(
        name="sandbox-fork",
        title="A forked kernel and its first result, in a sandbox and without",
        measure="first_result",
        contenders=("sandboxed", "session", "jupyter_client"),
        arguments={"code": "1 + 1"},
        rounds=15,
        promises=(
            Promise("seconds", "sandboxed", than="session", at_least=1 / 1.15),
            Promise("seconds", "sandboxed", than="jupyter_client", at_least=1),
        ),
    ),
    Case(
        name="sandbox-spawn",
        title="A kernel started anew and its first result, in a sandbox and without",
        measure="first_result",
        contenders=("sandboxed-spawned", "spawned", "jupyter_client"),
        arguments={"code": "1 + 1"},
        rounds=15,
        promises=(
            Promise("seconds", "sandboxed-spawned", than="spawned", at_least=1 / 1.15),
            Promise("seconds", "sandboxed-spawned", than="jupyter_client", at_least=1),
        ),
    ),
    Case(
        name="sandbox-first-kernel",
        title="The very first kernel of a process and its first result, imports paid, in a sandbox and without",
        measure="first_result",
        contenders=("sandboxed", "sandboxed-spawned", "session", "jupyter_client"),
        arguments={"code": "1 + 1"},
        fresh=True,
        promises=(Promise("seconds", "sandboxed", than="jupyter_client", at_least=1),),
    ),
    Case(
        name="sandbox-cell",
        title="A cell `x = 1`, in a sandbox and without",
        measure="round_trip",
        contenders=("sandboxed", "session"),
        arguments={"code": "x = 1", "seconds": 0.5},
        rounds=15,
        promises=(Promise("seconds", "sandboxed", than="session", at_least=1 / 1.05),),
    ),
]
