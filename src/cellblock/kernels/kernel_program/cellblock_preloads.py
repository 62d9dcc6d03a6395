"""Importing packages before a fork, each checked to survive one.

A fork takes along the thread that forks and no other: what a package does in threads of its own would wait for ever in the
child. So after each import a child is forked that uses the package, and the threads are counted that are left afterwards
(some packages end theirs for the time of a fork). Source: fork(2); pthread_atfork(3).
"""

from __future__ import annotations

import importlib
import os
import select
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TRIAL_SECONDS = 30
_HARMLESS_THREADS = {"jemalloc_bg_thd"}  # of Arrow's allocator, which does without in a child

_COMPANIONS = {
    # Not the inline backend, which must be imported where there is a shell to draw to.
    "matplotlib": ("matplotlib.pyplot", "matplotlib.backends.backend_agg"),
    "sklearn": ("sklearn.linear_model",),
    "scipy": ("scipy.linalg", "scipy.stats"),
}
"""What is always wanted with a package and not imported by it."""

_TRIALS = {
    "numpy": "import numpy; a = numpy.ones((300, 300)); assert (a @ a)[0, 0] == 300; numpy.linalg.inv(a + numpy.eye(300))",
    "pandas": "import pandas; assert pandas.DataFrame({'a': [1, 1], 'b': [2, 3]}).groupby('a').b.sum()[1] == 5",
    "matplotlib": (
        "import io; from matplotlib.figure import Figure; figure = Figure(); figure.subplots().plot([1, 2]);"
        "figure.savefig(io.BytesIO(), format='png')"
    ),
    "scipy": "import numpy, scipy.linalg; scipy.linalg.lu(numpy.ones((300, 300)))",
    "sklearn": "import sklearn.linear_model as m; assert m.LinearRegression().fit([[0], [1]], [0, 1]).predict([[2]])[0] > 1",
    "polars": "import polars; assert polars.DataFrame({'a': [1, 2]}).lazy().select(polars.col('a').sum()).collect()[0, 0] == 3",
    "pyarrow": "import pyarrow; assert pyarrow.compute.sum(pyarrow.array([1, 2])).as_py() == 3",
    "torch": "import torch; a = torch.ones(300, 300); assert (a @ a)[0, 0] == 300",
}
"""Code that uses a package as cells do, in whatever threads it has. A package without one is imported only."""


def preload(names: Sequence[str]) -> str | None:
    """Imports packages, and gives the reason if one must not be imported before a fork.

    Args:
        names: Of modules, as ``import`` takes them.
    """
    return next(filter(None, map(_preload_one, names)), None)


def _preload_one(name: str) -> str | None:
    try:
        for module in (name, *_COMPANIONS.get(name, ())):
            importlib.import_module(module)
    except Exception as error:  # whatever a package raises while it is imported
        return f"{name} cannot be imported: {type(error).__name__}: {error}"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _use(name, writing)
    os.close(writing)
    try:
        threads = _threads()
        failure = _outcome(child, reading)
    finally:
        os.close(reading)
    if threads:
        return f"{name} keeps threads that a fork would lose: {', '.join(sorted(threads))}"
    return None if failure is None else f"{name} does not work in a forked process: {failure}"


def _use(name: str, complaints: int) -> None:
    """In the child: uses the package, and never returns."""
    try:
        exec(_TRIALS.get(name, ""), {})  # noqa: S102 - the table above
    except BaseException as error:
        os.write(complaints, f"{type(error).__name__}: {error}".encode()[:2000])
        os._exit(1)
    os._exit(0)


def _outcome(child: int, complaints: int) -> str | None:
    """What was wrong with a child, or None if it ended well."""
    pidfd = os.pidfd_open(child)
    try:
        ended, _, _ = select.select([pidfd], [], [], _TRIAL_SECONDS)
    finally:
        os.close(pidfd)
    if not ended:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not ended:
        return f"it was not done within {_TRIAL_SECONDS} s"
    if os.waitstatus_to_exitcode(status) == 0:
        return None
    return os.read(complaints, 2000).decode("utf-8", "replace") or f"exit code {os.waitstatus_to_exitcode(status)}"


def _threads() -> set[str]:
    """The names of this process's threads beside the main one, without those that do no harm."""
    names = set()
    for thread in Path("/proc/self/task").iterdir():
        if thread.name != str(os.getpid()):
            names.add((thread / "comm").read_text().strip())
    return names - _HARMLESS_THREADS
