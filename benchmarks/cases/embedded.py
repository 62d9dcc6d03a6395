"""Kernels of this process: imports, starts, cells, output, and many of them at once."""

from __future__ import annotations

from benchmarks.cases import Case, Promise
from benchmarks.contenders import CONTENDERS

_EVERYBODY = ("executor", "session", "autogen", "nbclient", "jupyter_client")
_WITH_BARE = (*_EVERYBODY, "pyzmq")
_AMOUNT = {"seconds": "s", "arrived": "%"}

_PROGRAMS = {
    "executor": "with JupyterCodeExecutor() as e: e.execute_code_blocks([CodeBlock(code='1 + 1', language='python')])",
    "session": "with Session() as session: session.run('1 + 1')",
    "autogen": "e = EmbeddedIPythonCodeExecutor(); e.execute_code_blocks([CodeBlock(code='1 + 1', language='python')])\n"
    "e._kernel_manager.shutdown_kernel(now=True)",
    "nbclient": "nbclient.execute(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('1 + 1')]))",
    "jupyter_client": "manager, client = jupyter_client.manager.start_new_kernel()\n"
    "client.execute_interactive('1 + 1', output_hook=print); manager.shutdown_kernel(now=True)",
}


def _sessions(count: int, rounds: int, *, quick: bool) -> Case:
    return Case(
        name=f"sessions-{count}",
        title=f"Kernels in one process, a thread each, here {count}: all first results; cells per second; client memory of each",
        measure="sessions",
        contenders=("session", "autogen", "jupyter_client"),
        arguments={"count": count, "cells": 10},
        rounds=rounds,
        units={"seconds": "s", "cells/s": "/s", "memory": "MB"},
        fresh=True,
        quick=quick,
    )


CASES = [
    Case(
        name="import",
        title="`import cellblock`, and what a program imports to use each, beside bare python",
        measure="run_program",
        contenders=("package", *_WITH_BARE),
        own={name: {"program": CONTENDERS[name].imports} for name in ("package", *_WITH_BARE)},
        promises=(Promise("seconds", "package", at_most=0.150),),
    ),
    Case(
        name="program",
        title="A whole program that imports, starts a kernel, runs one cell and ends",
        measure="run_program",
        contenders=_EVERYBODY,
        own={name: {"program": f"{CONTENDERS[name].imports}\n{rest}"} for name, rest in _PROGRAMS.items()},
        rounds=7,
    ),
    Case(
        name="first-result",
        title="A new kernel and its first result, imports paid",
        measure="first_result",
        contenders=("executor", "session", "spawned", "autogen", "nbclient", "jupyter_client"),
        arguments={"code": "1 + 1"},
        promises=(
            Promise("seconds", "executor", than="autogen", at_least=8),
            Promise("seconds", "spawned", than="autogen", at_least=1.5),
        ),
    ),
    Case(
        name="assignment",
        title="A cell `x = 1`",
        measure="round_trip",
        contenders=_WITH_BARE,
        arguments={"code": "x = 1", "seconds": 0.5},
        rounds=15,
        promises=(
            Promise("seconds", "executor", than="autogen", at_least=60),
            Promise("seconds", "session", than="pyzmq", at_least=1 / 1.15),
        ),
    ),
    Case(
        name="print",
        title="A cell `print(1)`",
        measure="round_trip",
        contenders=_WITH_BARE,
        arguments={"code": "print(1)", "seconds": 0.5},
        rounds=15,
    ),
    Case(
        name="large-print",
        title="20 MB in one print",
        measure="large_print",
        contenders=_WITH_BARE,
        arguments={"megabytes": 20},
        units={"seconds": "s", "arrived": "%", "MB/s": "MB/s"},
        promises=(
            Promise("arrived", "executor", at_least=1),
            Promise("arrived", "session", at_least=1),
            Promise("MB/s", "executor", at_least=40),
        ),
    ),
    Case(
        name="prints",
        title="200,000 prints",
        measure="bulk",
        contenders=_WITH_BARE,
        arguments={"code": "for i in range(200_000): print(f'p{i}')", "pattern": r"p\d+", "expected": 200_000},
        rounds=5,
        units=_AMOUNT,
        promises=(Promise("arrived", "executor", at_least=1), Promise("arrived", "session", at_least=1)),
    ),
    Case(
        name="displays",
        title="20,000 displays",
        measure="bulk",
        contenders=_WITH_BARE,
        arguments={"code": "for i in range(20_000): display(f'd{i}')", "pattern": r"d\d+", "expected": 20_000},
        rounds=5,
        units=_AMOUNT,
        promises=(Promise("arrived", "executor", at_least=1), Promise("arrived", "session", at_least=1)),
    ),
    Case(
        name="flood",
        title="`while True: print(…)` with a timeout of 2 s: when it returns (given up after 10 s); client memory",
        measure="flood",
        contenders=_EVERYBODY,
        arguments={"timeout": 2, "give_up": 10},
        rounds=3,
        units={"seconds": "s", "memory": "MB"},
        fresh=True,
        promises=(Promise("seconds", "executor", at_most=3.75),),
    ),
    Case(
        name="after-flood",
        title="The cell after that: how soon it is answered, and whether it finds the variables of before",
        measure="after_flood",
        contenders=_EVERYBODY,
        arguments={"timeout": 2, "give_up": 10},
        rounds=3,
        units={"seconds": "ms", "state": "%"},
        fresh=True,
        promises=(Promise("state", "executor", at_least=1),),
    ),
    _sessions(1, 5, quick=True),
    _sessions(8, 3, quick=True),
    _sessions(32, 2, quick=False),
]
