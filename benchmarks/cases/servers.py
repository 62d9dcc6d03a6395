"""Jupyter servers: their start, executors on them, cells, and much output."""

from __future__ import annotations

from benchmarks.cases import Case, Promise

_EXECUTORS = ("local-server", "gateway", "autogen-server")
_AMOUNT = {"seconds": "s", "arrived": "%", "MB/s": "MB/s"}

CASES = [
    Case(
        name="server-ready",
        title="A local server, until it answers",
        measure="ready",
        contenders=("server-start", "autogen-server-start"),
        promises=(Promise("seconds", "server-start", than="autogen-server-start", at_least=6),),
    ),
    Case(
        name="server-first-result",
        title="An executor on a local server that runs already, and its first result",
        measure="first_result",
        contenders=("local-server", "unpooled-server", "gateway", "autogen-server"),
        arguments={"code": "1 + 1"},
        promises=(Promise("seconds", "local-server", than="autogen-server", at_least=8),),
    ),
    Case(
        name="server-assignment",
        title="A cell `x = 1` on a local server, and on a stock Kernel Gateway",
        measure="round_trip",
        contenders=_EXECUTORS,
        arguments={"code": "x = 1", "seconds": 0.5},
        rounds=15,
        promises=(
            Promise("seconds", "local-server", than="autogen-server", at_least=15),
            Promise("seconds", "gateway", than="autogen-server", at_least=10),
        ),
    ),
    Case(
        name="server-large-print",
        title="20 MB in one print, through a local server",
        measure="large_print",
        contenders=("local-server", "autogen-server"),
        arguments={"megabytes": 20},
        units=_AMOUNT,
        promises=(Promise("arrived", "local-server", at_least=1), Promise("MB/s", "local-server", at_least=40)),
    ),
    Case(
        name="container-large-print",
        title="20 MB in one print, through a server in a container",
        measure="large_print",
        contenders=("container",),
        arguments={"megabytes": 20},
        units=_AMOUNT,
        quick=False,
        promises=(Promise("arrived", "container", at_least=1), Promise("MB/s", "container", at_least=40)),
    ),
]
