"""Runs the Python blocks of one page, in order and in one namespace, as a reader would who types them in.

Reads ``[[line, code], …]`` as JSON from standard input and writes what each block printed, as a JSON list. Top-level
``await`` works. A block that raises ends the program with its traceback, in which the page's own lines are named.
"""

import ast
import asyncio
import contextlib
import io
import json
import linecache
import sys
import types


def main(page: str) -> None:
    blocks = json.load(sys.stdin)
    namespace = {"__name__": "__main__"}
    printed = []
    with asyncio.Runner() as runner:
        for line, code in blocks:
            source = "\n" * (line - 1) + code
            linecache.cache[page] = (len(source), None, source.splitlines(keepends=True), page)
            block = types.FunctionType(compile(source, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace)
            with contextlib.redirect_stdout(io.StringIO()) as stdout:
                waiting = block()
                if waiting is not None:
                    runner.run(waiting)
            printed.append(stdout.getvalue())
    json.dump(printed, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
