"""What is measured, inside a contender's process. Each measure gives numbers by name; times are in seconds."""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contenders import Contender

__all__ = ["Bench"]

Numbers = dict[str, float]

_MEGABYTE = 1024 * 1024


class Bench:
    """The measures of one contender.

    Args:
        make: Makes a contender that is ready as far as its own documentation makes it.
    """

    def __init__(self, make: Callable[..., Contender]) -> None:
        self.make = make
        self.kept: Contender | None = None

    def close(self) -> None:
        """Ends the contender that was kept from round to round."""
        if self.kept is not None:
            self.kept.close()

    def warm(self) -> Contender:
        """A contender that has run cells already, the same in every round."""
        if self.kept is None:
            self.kept = self.make()
            for _ in range(3):
                self.kept.execute("1 + 1")
        return self.kept

    def run_program(self, program: str) -> Numbers:
        """How much longer than an empty program a program takes, in an interpreter of its own."""
        return {"seconds": _spawn(program) - _spawn("pass")}

    def ready(self) -> Numbers:
        """From nothing but imports to a contender that was made."""
        started = time.perf_counter()
        contender = self.make()
        seconds = time.perf_counter() - started
        contender.close()
        return {"seconds": seconds}

    def first_result(self, code: str) -> Numbers:
        """From nothing but imports to the result of the first cell."""
        started = time.perf_counter()
        contender = self.make()
        try:
            _expect(contender.execute(code), "2")
            return {"seconds": time.perf_counter() - started}
        finally:
            contender.close()

    def round_trip(self, code: str, seconds: float) -> Numbers:
        """The median of as many cells as fit, at least three."""
        contender = self.warm()
        took: list[float] = []
        until = time.perf_counter() + seconds
        while len(took) < 3 or time.perf_counter() < until:
            started = time.perf_counter()
            contender.execute(code)
            took.append(time.perf_counter() - started)
        return {"seconds": statistics.median(took)}

    def bulk(self, code: str, pattern: str, expected: int) -> Numbers:
        """How long a cell with much output takes, and how much of it arrives: different matches of a pattern."""
        contender = self.warm()
        started = time.perf_counter()
        text = contender.execute(code)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "arrived": len(set(re.findall(pattern, text))) / expected}

    def large_print(self, megabytes: int) -> Numbers:
        """One print of many characters."""
        contender = self.warm()
        started = time.perf_counter()
        text = contender.execute(f"print('x' * {megabytes * 1_000_000})")
        seconds = time.perf_counter() - started
        return {
            "seconds": seconds,
            "arrived": text.count("x") / (megabytes * 1e6),
            "MB/s": text.count("x") / 1e6 / seconds,
        }

    def flood(self, timeout: float, give_up: float) -> Numbers:
        """A cell that prints for ever: when the call returns, and what it costs this process in memory at most.

        A call that has not returned after ``give_up`` seconds never will; this process must be ended then.
        """
        contender = self.make(timeout=timeout)
        contender.execute("1 + 1")
        before = _memory_now()
        started = time.perf_counter()
        call = threading.Thread(target=_swallow, args=(contender, "while True: print('y' * 80)"), daemon=True)
        call.start()
        call.join(give_up)
        return {"seconds": time.perf_counter() - started, "memory": _memory_peak() - before}

    def after_flood(self, timeout: float, give_up: float) -> Numbers:
        """How soon the cell after a flood is answered, and whether it still finds a variable of before."""
        contender = self.make(timeout=timeout)
        contender.execute("kept = 'was' + ' kept'")
        flood = threading.Thread(target=_swallow, args=(contender, "while True: print('y' * 80)"), daemon=True)
        flood.start()
        flood.join(give_up)
        if flood.is_alive():
            return {"seconds": give_up, "state": 0}
        started = time.perf_counter()
        answer = _swallow(contender, "print(kept)")
        return {"seconds": time.perf_counter() - started, "state": float("was kept" in answer)}

    def sessions(self, count: int, cells: int) -> Numbers:
        """Many kernels of one process, one thread for each: starting all of them, then cells in all at once."""
        before = _memory_now()
        with ThreadPoolExecutor(count) as threads:
            started = time.perf_counter()
            contenders = list(threads.map(lambda _: _started(self.make), range(count)))
            ready = time.perf_counter() - started
            started = time.perf_counter()
            list(threads.map(lambda contender: _run_cells(contender, cells), contenders))
            ran = time.perf_counter() - started
            memory = _memory_now() - before
            list(threads.map(lambda contender: contender.close(), contenders))
        return {"seconds": ready, "cells/s": count * cells / ran, "memory": memory / count}

    def many_kernels(self, count: int, code: str) -> Numbers:
        """Many kernels at once, a thread each: all first results; their memory, what they share counted once, for each."""
        self.make().close()
        with ThreadPoolExecutor(count) as threads:
            started = time.perf_counter()
            contenders = list(threads.map(lambda _: _started(self.make, code), range(count)))
            seconds = time.perf_counter() - started
            memory = sum(map(_proportional_memory, _descendants(os.getpid()))) / count
            list(threads.map(lambda contender: contender.close(), contenders))
        return {"seconds": seconds, "memory": memory}


def _spawn(program: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def _expect(text: str, wanted: str) -> None:
    if text.strip() != wanted:
        raise AssertionError(f"The cell should have given {wanted!r} and gave {text[:200]!r}.")


def _started(make: Callable[..., Contender], code: str = "1 + 1") -> Contender:
    contender = make()
    _expect(contender.execute(code), "2")
    return contender


def _run_cells(contender: Contender, cells: int) -> None:
    for _ in range(cells):
        contender.execute("x = 1")


def _swallow(contender: Contender, code: str) -> str:
    """A cell whose end may be an exception of the contender's, as for a timeout."""
    try:
        return contender.execute(code)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return [*children, *(found for child in children for found in _descendants(child))]


def _proportional_memory(pid: int) -> float:
    """Megabytes of a process's memory, of what it shares its share only."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _memory_now() -> float:
    """Megabytes of memory this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / _MEGABYTE


def _memory_peak() -> float:
    """Megabytes of memory this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
