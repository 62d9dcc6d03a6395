"""Outputs as they come."""

import asyncio
import os
import time

import pytest

from cellblock._core.outputs import OmittedOutput, ResultOutput, StreamOutput
from cellblock._core.results import CellStatus
from cellblock.blocking import Session
from cellblock.errors import ConfigError, SessionClosed, SessionError
from cellblock.session import AsyncSession
from cellblock.testing import Script, ScriptedKernel
from cellblock.testing.steps import busy, error, idle, interrupted, reply, result, stream, waits_for

pytestmark = pytest.mark.anyio


@pytest.fixture
def script():
    script = Script()
    script.on("a and b", busy(), stream("a"), stream("b"), result("1"), reply(), idle())
    script.on("ok", busy(), result("42"), reply(), idle())
    script.on("hangs", busy(), stream("began"), interrupted(), error("KeyboardInterrupt"), reply("error"), idle())
    return script


@pytest.fixture
def kernel(script):
    return ScriptedKernel(script)


@pytest.fixture
async def session(kernel):
    async with AsyncSession(kernel, timeout=20) as session:
        yield session


async def test_outputs_come_one_by_one_and_then_the_result(session):
    cell = session.stream("a and b")
    outputs = [output async for output in cell]
    assert outputs[:2] == [StreamOutput("stdout", "a"), StreamOutput("stdout", "b")]
    assert isinstance(outputs[2], ResultOutput)
    assert cell.result.outputs[0] == StreamOutput("stdout", "ab")  # which joins them


async def test_an_output_comes_while_the_cell_runs(script, session):
    go_on = asyncio.Event()
    script.on("waits", busy(), stream("first"), waits_for(go_on.wait), stream("second"), reply(), idle())
    seen = []
    async for output in session.stream("waits"):
        seen.append(output.text)
        go_on.set()
    assert seen == ["first", "second"]


async def test_before_its_end_a_stream_has_no_result(session):
    cell = session.stream("a and b")
    with pytest.raises(SessionError, match=r"^The cell has no result yet: read its stream to the end first\.$"):
        _ = cell.result
    async for _ in cell:
        break
    with pytest.raises(SessionError):
        _ = cell.result


async def test_nothing_runs_before_the_stream_is_read(kernel, session):
    session.stream("ok")
    await session.run("ok")
    assert kernel.interrupts == 0
    assert len([m for m in kernel.received if m.msg_type == "execute_request"]) == 1


async def test_closing_the_iterator_interrupts_the_cell_and_waits_for_it(kernel, session):
    outputs = aiter(session.stream("hangs"))
    assert await anext(outputs) == StreamOutput("stdout", "began")
    await outputs.aclose()
    assert (kernel.interrupts, session.status) == (1, "idle")
    assert (await session.run("ok")).ok


async def test_cancelling_the_reader_interrupts_the_cell(kernel, session):
    began = asyncio.Event()

    async def read():
        async for _ in session.stream("hangs"):
            began.set()

    reading = asyncio.create_task(read())
    await began.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (kernel.interrupts, session.status) == (1, "idle")


async def test_the_deadline_ends_a_stream(session):
    cell = session.stream("hangs", timeout=0.2)
    (began, _) = [output async for output in cell]
    assert began == StreamOutput("stdout", "began")
    assert cell.result.status is CellStatus.TIMEOUT


async def test_what_the_call_raises_the_stream_raises(session):
    with pytest.raises(ConfigError):
        _ = [output async for output in session.stream("ok", timeout=0)]
    await session.close()
    with pytest.raises(SessionClosed):
        _ = [output async for output in session.stream("ok")]


async def test_for_a_slow_reader_the_oldest_is_left_out_and_counted(script, session):
    """The result has everything all the same."""
    text = "x" * 1024 * 1024
    read = asyncio.Event()
    script.on("much", busy(), *[stream(text) for _ in range(40)], waits_for(read.wait), stream("end"), reply(), idle())
    outputs, cell = [], session.stream("much")
    async for output in cell:
        if not outputs:
            while len(session._cell.log.outputs()[0].text) < 40 * len(text):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            read.set()
        outputs.append(output)
    omitted = [output for output in outputs if isinstance(output, OmittedOutput)]
    assert len(omitted) == 1
    kept = sum(len(output.text) for output in outputs if isinstance(output, StreamOutput))
    assert kept + omitted[0].characters == 40 * len(text) + len("end")
    assert kept < 20 * len(text)
    assert outputs[-1] == StreamOutput("stdout", "end")
    assert cell.result.outputs == (StreamOutput("stdout", text * 40 + "end"),)


# Without asyncio


@pytest.fixture(scope="module")
def blocking():
    with Session(timeout=30) as session:
        session.start()
        yield session


def test_a_blocking_stream_gives_outputs_while_the_cell_runs(blocking):
    cell = blocking.stream("import time\nfor i in range(3):\n    print(i, flush=True)\n    time.sleep(0.2)\n'end'")
    moments = [(time.monotonic(), output) for output in cell]
    assert [output.text for _, output in moments[:3]] == ["0\n", "1\n", "2\n"]
    assert moments[2][0] - moments[0][0] > 0.3
    assert cell.result.ok


def test_a_blocking_stream_has_no_result_before_its_end(blocking):
    cell = blocking.stream("print(1)")
    with pytest.raises(SessionError, match="read its stream to the end"):
        _ = cell.result
    assert [output.text for output in cell] == ["1\n"]
    assert cell.result.ok


def test_a_reader_that_raises_ends_the_cell(blocking):
    began = time.monotonic()
    with pytest.raises(LookupError):  # noqa: PT012 - the loop is what is tested
        for _ in blocking.stream("import time\nprint('began', flush=True)\ntime.sleep(1000)"):
            raise LookupError
    assert time.monotonic() - began < 5
    assert blocking.status == "idle"
    assert blocking.run("1").ok


def test_a_forgotten_iterator_ends_the_cell(blocking):
    outputs = iter(blocking.stream("import time\nprint('began', flush=True)\ntime.sleep(1000)"))
    assert next(outputs).text == "began\n"
    del outputs
    assert blocking.run("1", timeout=10).ok


def test_an_iterator_forgotten_in_a_forked_child_holds_nobody_up(blocking):
    """It is the parent's, and so is the cell."""
    outputs = iter(blocking.stream("import time\nprint('began', flush=True)\ntime.sleep(0.5)\nprint('ended')"))
    assert next(outputs).text == "began\n"
    child = os.fork()
    if child == 0:
        del outputs
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert [output.text for output in outputs] == ["ended\n"]


async def test_a_stream_is_read_once(session, kernel):
    outputs = session.stream("a and b")
    assert len([output async for output in outputs]) == 3
    requests = len(kernel.received)
    with pytest.raises(SessionError, match=r"^The stream was read before, and its cell ran then\."):
        async for _ in outputs:
            pass
    assert len(kernel.received) == requests


def test_a_blocking_stream_is_read_once():
    with Session(timeout=30) as session:
        outputs = session.stream("print(1)")
        assert [output.text for output in outputs] == ["1\n"]
        with pytest.raises(SessionError, match=r"^The stream was read before"):
            next(iter(outputs))
        assert outputs.result.ok
