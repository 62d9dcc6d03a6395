"""A hundred kernels leave nothing behind: no process, thread, descriptor or file, and no memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_hundred_kernels_leave_nothing():
    """Forked when they are wanted and from a pool; ``make soak`` does it with thousands, and with a server."""
    command = [sys.executable, "-m", "benchmarks.soak", "--kernels", "100"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout.splitlines()[-1:]) == (0, ["Nothing grew."]), said.stdout + said.stderr
