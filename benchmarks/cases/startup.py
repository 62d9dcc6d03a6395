"""New kernels: the very first, one from a pool, one that needs large packages, and many."""

from __future__ import annotations

from benchmarks.cases import Case, Promise

_SCIENCE = "import numpy, pandas, matplotlib.pyplot"

CASES = [
    Case(
        name="first-kernel",
        title="The very first kernel of a process and its first result, imports paid",
        measure="first_result",
        contenders=("session", "spawned", "jupyter_client"),
        arguments={"code": "1 + 1"},
        fresh=True,
        promises=(
            Promise("seconds", "session", than="jupyter_client", at_least=1),
            Promise("seconds", "session", than="spawned", at_least=1),
        ),
    ),
    Case(
        name="first-result-pool",
        title="A kernel from a pool and its first result",
        measure="first_result",
        contenders=("pooled", "session", "spawned", "autogen"),
        arguments={"code": "1 + 1"},
        rounds=15,
        promises=(Promise("seconds", "pooled", than="autogen", at_least=50),),
    ),
    Case(
        name="first-result-science",
        title="A new kernel and the first result of a cell that imports numpy, pandas and matplotlib.pyplot",
        measure="first_result",
        contenders=("pooled-science", "forked-science", "spawned", "autogen"),
        arguments={"code": f"{_SCIENCE}\n1 + 1"},
        promises=(
            Promise("seconds", "pooled-science", than="autogen", at_least=60),
            Promise("seconds", "forked-science", than="autogen", at_least=12),
        ),
    ),
    Case(
        name="kernels-50",
        title="50 kernels that have imported numpy, pandas and matplotlib.pyplot: all first results; memory of each kernel",
        measure="many_kernels",
        contenders=("forked-science", "spawned"),
        arguments={"count": 50, "code": f"{_SCIENCE}\n1 + 1"},
        rounds=2,
        units={"seconds": "s", "memory": "MB"},
        fresh=True,
        quick=False,
        promises=(
            Promise("seconds", "forked-science", than="spawned", at_least=10),
            Promise("memory", "forked-science", than="spawned", at_least=2.5),
        ),
    ),
]
