"""The program of one contender's own process: does what the harness asks, one JSON line each way.

Usage: python benchmarks/worker.py MODULE, where MODULE is one of ``benchmarks.contenders``. A request is
``{"measure": NAME, "arguments": {...}}`` with a function of ``benchmarks.measures``; the answer is
``{"value": {...}}`` or ``{"error": TEXT}``. It needs only the standard library and what the contender needs.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path


def main(module: str) -> None:
    """Answers requests until the harness closes its end."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a contender prints is no answer
    sys.path[0] = str(Path(__file__).parents[1])
    from benchmarks import measures

    bench = measures.Bench(lambda **options: import_module(f"benchmarks.contenders.{module}").Contender(**options))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": getattr(bench, request["measure"])(**request["arguments"])}
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
    bench.close()


if __name__ == "__main__":
    main(sys.argv[1])
