"""What code does in forked kernels, and in those that waited to be used: all that it does in started ones."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from cellblock import Session
from cellblock._core.messages import Requests
from cellblock.kernels.forkserver.client import end_fork_servers
from cellblock.kernels.forkserver.launcher import ForkLauncher
from cellblock.kernels.launch import DescriptorLauncher
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.pool import KernelPool

WAYS = ("forked", "waited")


@pytest.fixture(autouse=True)
def _own_servers():
    yield
    end_fork_servers()


@contextlib.contextmanager
def maker(way, preload=()):
    """Makes kernels one way."""
    if way == "forked":
        yield lambda **options: LocalKernel(launcher=ForkLauncher(preload), **options)
    elif way == "started":
        yield lambda **options: LocalKernel(launcher=DescriptorLauncher(), **options)
    else:
        with KernelPool(1, preload=preload) as pool:
            yield pool.kernel


@contextlib.contextmanager
def session(way, preload=(), **options):
    with maker(way, preload) as make, Session(make(**options), timeout=60) as session:
        yield session


def printed(result):
    assert result.ok, result
    return "".join(output.text for output in result.outputs)


@pytest.mark.parametrize("way", WAYS)
def test_two_kernels_draw_different_numbers(way):
    """From every generator a fork would otherwise have copied."""
    code = (
        "import random, numpy, uuid, secrets, tempfile, multiprocessing\n"
        "print(random.random(), numpy.random.rand(), numpy.random.default_rng().random(), uuid.uuid4(),\n"
        "      secrets.token_hex(8), next(tempfile._get_candidate_names()), multiprocessing.current_process().authkey.hex())"
    )
    drawn = []
    with maker(way, ["numpy", "multiprocessing"]) as make:
        for _ in range(2):
            with Session(make(), timeout=60) as one:
                drawn.append(printed(one.run(code)).split())
    assert all(one != other for one, other in zip(*drawn, strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_multiprocessing_works(way, tmp_path):
    """In all three ways, with what cells print in the children, and in the kernel's own folder."""
    (tmp_path / "squares.py").write_text("import os\ndef square(x): return x * x, os.getcwd()\n")
    with session(way, ["multiprocessing"], cwd=tmp_path) as one:
        for method in ("fork", "spawn", "forkserver"):
            code = (
                "import multiprocessing, squares\n"
                f"with multiprocessing.get_context({method!r}).Pool(2) as pool: print(pool.map(squares.square, [3, 4]))"
            )
            assert printed(one.run(code)) == f"{[(9, str(tmp_path)), (16, str(tmp_path))]}\n"


@pytest.mark.parametrize("way", WAYS)
def test_subprocesses_have_the_kernels_environment(way, tmp_path):
    code = "import subprocess; print(subprocess.run('echo $ASKED_FOR; pwd', shell=True, capture_output=True, text=True).stdout)"
    with session(way, cwd=tmp_path, env={"ASKED_FOR": "this"}) as one:
        assert printed(one.run(code)) == f"this\n{tmp_path}\n\n"


@pytest.mark.parametrize("way", WAYS)
def test_exit_handlers_run(way, tmp_path):
    said = tmp_path / "said"
    with session(way) as one:
        assert one.run(
            f"import atexit, pathlib; atexit.register(pathlib.Path({str(said)!r}).write_text, 'goodbye');"
        ).ok
    assert said.read_text() == "goodbye"


@pytest.mark.parametrize("way", ["started", *WAYS])
def test_plots_are_shown_inline(way):
    with session(way, ["matplotlib"]) as one:
        result = one.run(
            "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show(); print(plt.get_backend())\nplt.plot([3]);"
        )
    assert result.ok
    assert sum("image/png" in getattr(output, "data", {}) for output in result.outputs) == 2
    assert "inline" in "".join(getattr(output, "text", "") for output in result.outputs)


@pytest.mark.parametrize("way", WAYS)
def test_cells_await_and_their_tasks_go_on(way):
    with session(way) as one:
        code = (
            "import asyncio\ntask = asyncio.create_task(asyncio.sleep(0.05, 'slept'))\nprint(await asyncio.sleep(0, 1))"
        )
        assert printed(one.run(code)) == "1\n"
        assert printed(one.run("print(await task)")) == "slept\n"


@pytest.mark.parametrize("way", WAYS)
def test_no_history_is_written(way, tmp_path):
    """A database that every kernel of a user would write to, and that nobody reads."""
    with session(way, env={"IPYTHONDIR": str(tmp_path)}) as one:
        assert one.run("1").ok
        assert one.run("In[1]").text == "'1'"
    assert list(tmp_path.rglob("history.sqlite*")) == []


@pytest.mark.anyio
@pytest.mark.parametrize("way", WAYS)
async def test_the_debugger_answers(way):
    """It is made by the first request of its protocol."""

    async def ask(transport, command, arguments):
        request = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
        await transport.send(Requests().make("debug_request", request, channel="control"))
        while (message := await transport.receive()).msg_type != "debug_reply":
            pass
        return message.content

    with maker(way) as make:
        kernel = make()
        async with asyncio.timeout(60):
            transport = await kernel.start()
            try:
                assert (await ask(transport, "debugInfo", {}))["body"]["isStarted"] is False
                assert (await ask(transport, "initialize", {"clientID": "test", "adapterID": ""}))["success"]
                assert (await ask(transport, "attach", {"justMyCode": False}))["success"]
                source = (await ask(transport, "dumpCell", {"code": "def f():\n    return 41 + 1\n"}))["body"][
                    "sourcePath"
                ]
                breakpoints = {"source": {"path": source}, "breakpoints": [{"line": 2}]}
                reply = await ask(transport, "setBreakpoints", breakpoints)
                assert reply["body"]["breakpoints"][0]["verified"]
            finally:
                await kernel.stop()
