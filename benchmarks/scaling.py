"""``python -m benchmarks.scaling [PICTURE]``: how the cost of a kernel grows with how many are alive.

Kernels of one process, all with numpy, pandas and matplotlib imported: started as programs, forked, and from a pool. With
1, 10, 50, 100 and 200 of them alive it measures, one at a time: how long the next takes from nothing to its first result,
a cell's round trip in it, and the memory of each, of what kernels share its share. Each way has a process of its own. The
numbers go to ``.bench/results/scaling.json``, and a picture of them to PICTURE.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from cellblock import AsyncSession, KernelPool
from cellblock.kernels.launch import DescriptorLauncher
from cellblock.kernels.local import LocalKernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellblock.kernels import Kernel

_ROOT = Path(__file__).parents[1]
_WAYS = {"started": "started afresh", "forked": "forked", "pooled": "from a pool"}
_ALIVE = (1, 10, 50, 100, 200)
_PRELOAD = ("numpy", "pandas", "matplotlib")
_CELL = "import numpy, pandas, matplotlib.pyplot\n1 + 1"
_SAMPLES = 7
_CELLS = 100
_SPARES = 2
_ROOM = 4096  # megabytes of memory that are left to the rest of the machine
_AT_ONCE = 4

Numbers = dict[str, list[float]]


def main() -> None:
    """Measures every way, or in a process of its own one of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument("picture", nargs="?", metavar="PICTURE", help="an SVG or PNG file to draw")
    parser.add_argument("--way", choices=_WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(asyncio.run(_measure(arguments.way))))
        return
    numbers = {way: _in_a_process(way) for way in _WAYS}
    results = _ROOT / ".bench" / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / "scaling.json").write_text(json.dumps(numbers, indent=1))
    print(_table(numbers))
    if arguments.picture:
        from benchmarks.scaling_picture import draw

        draw({_WAYS[way]: numbers[way] for way in _WAYS}, Path(arguments.picture))


def _in_a_process(way: str) -> Numbers:
    command = [sys.executable, "-m", "benchmarks.scaling", "--way", way]
    ran = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, check=True)
    numbers: Numbers = json.loads(ran.stdout)
    return numbers


async def _measure(way: str) -> Numbers:
    """The numbers of one way, a list for each, as long as there was memory for the kernels."""
    numbers: Numbers = {"alive": [], "start": [], "round trip": [], "memory": []}
    alive: list[AsyncSession] = []
    with ExitStack() as kept:
        make = _maker(way, kept)
        await _run_one(make)
        for count in _ALIVE:
            each = numbers["memory"][-1] if alive else 100.0
            if psutil.virtual_memory().available / 2**20 - each * (count - len(alive)) < _ROOM:
                break
            await _bring_to(count, alive, make)
            gc.collect()
            numbers["alive"].append(count)
            numbers["memory"].append(_memory() / count)
            numbers["start"].append(statistics.median([await _run_one(make) for _ in range(_SAMPLES)]))
            numbers["round trip"].append(await _round_trip(alive[-1]))
            print(way, {name: round(values[-1], 4) for name, values in numbers.items()}, file=sys.stderr)
        await asyncio.gather(*(session.close() for session in alive))
    return numbers


def _maker(way: str, kept: ExitStack) -> Callable[[], Kernel]:
    if way == "started":
        return lambda: LocalKernel(launcher=DescriptorLauncher())
    pool = kept.enter_context(KernelPool(_SPARES if way == "pooled" else 0, preload=_PRELOAD))
    return pool.kernel


async def _bring_to(count: int, alive: list[AsyncSession], make: Callable[[], Kernel]) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one() -> AsyncSession:
        async with room:
            session = AsyncSession(make(), timeout=120)
            await session.run(_CELL)
            return session

    alive += await asyncio.gather(*(one() for _ in range(count - len(alive))))


async def _run_one(make: Callable[[], Kernel]) -> float:
    """Seconds from nothing to the first result of one more kernel, the pool being full before."""
    await asyncio.sleep(1.0)
    began = time.perf_counter()
    async with AsyncSession(make(), timeout=120) as session:
        result = await session.run(_CELL)
        seconds = time.perf_counter() - began
    assert result.text == "2", result
    return seconds


async def _round_trip(session: AsyncSession) -> float:
    """Seconds of a cell, the median of many."""
    took = []
    for _ in range(_CELLS):
        began = time.perf_counter()
        await session.run("x = 1")
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _memory() -> float:
    """Megabytes of all processes that this one has started, what they share counted once."""
    return sum(process.memory_full_info().pss for process in psutil.Process().children(recursive=True)) / 2**20


def _table(numbers: dict[str, Numbers]) -> str:
    lines = [
        "| | alive | next one, first result, ms | round trip, ms | memory of each, MB |",
        "|---|---:|---:|---:|---:|",
    ]
    for way, title in _WAYS.items():
        for alive, start, trip, memory in zip(*numbers[way].values(), strict=True):
            lines.append(f"| {title} | {alive:g} | {1000 * start:.0f} | {1000 * trip:.2f} | {memory:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
