"""What a session takes and refuses, how much it keeps, and what becomes of handlers that fail."""

import asyncio
import contextlib
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cellblock._core.outputs import (
    ClearOutput,
    DisplayOutput,
    ErrorOutput,
    Limits,
    OmittedOutput,
    ResultOutput,
    StreamOutput,
)
from cellblock._core.results import CellStatus
from cellblock.blocking import Session
from cellblock.errors import ConfigError, KernelSpecNotFound, KernelStartError, SessionClosed
from cellblock.kernels.local import LocalKernel
from cellblock.session import AsyncSession
from cellblock.testing import Script, ScriptedKernel
from test_spool import disk_full_after

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def session():
    """For what does not change a session."""
    with Session() as session:
        session.start()
        yield session


def stdout(result):
    return "".join(o.text for o in result.outputs if isinstance(o, StreamOutput) and o.name == "stdout")


def value(result):
    (value,) = [o.data["text/plain"] for o in result.outputs if isinstance(o, ResultOutput)]
    return value


# What it takes


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, True, "60"])
def test_a_timeout_that_is_none_is_refused(session, timeout):
    with pytest.raises(ConfigError, match="The timeout must be a positive number of seconds"):
        AsyncSession(timeout=timeout)
    for call in (session.run, session.stream):
        with pytest.raises(ConfigError, match="The timeout must be a positive number of seconds"):
            list(call("1", timeout=timeout))
    assert session.run("1").ok


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, "The code of a cell must be text; it was NoneType."),
        (b"1", "The code of a cell must be text; it was bytes."),
        ("ab\ud83d", "The code cannot be run: its character 3 is half of a surrogate pair. Remove it."),
        ("\udce9", "The code cannot be run: its character 1 is half of a surrogate pair. Remove it."),
    ],
)
def test_code_that_is_no_text_is_refused(session, code, message):
    with pytest.raises(ConfigError) as caught:
        session.run(code)
    assert str(caught.value) == message
    assert session.status == "idle"


def test_nul_bytes_are_a_syntax_error_of_the_cell(session):
    result = session.run("x = 1\0")
    assert (result.status, result.error.ename) == (CellStatus.ERROR, "SyntaxError")
    assert "null bytes" in result.error.evalue


@pytest.mark.parametrize("code", ["", "\n\n", "   ", "# nothing", "x = 'é\U0001f600'\r\nx\r\n"])
def test_code_of_any_kind_runs(session, code):
    assert session.run(code).ok


def test_ten_megabytes_of_code_run(session):
    result = session.run("text = '" + "x" * 10_000_000 + "'\nlen(text)")
    assert value(result) == "10000000"


def test_a_kernel_of_ones_own_is_configured_where_it_is_made(tmp_path):
    for options in ({"cwd": tmp_path}, {"env": {}}):
        with pytest.raises(ConfigError, match="belong to the kernel"):
            AsyncSession(LocalKernel(), **options)


def test_an_unknown_kernel_is_refused_at_once():
    with pytest.raises(KernelSpecNotFound):
        Session(kernel_name="nosuch")


def test_expressions_are_evaluated_after_the_code(session):
    result = session.run("x = 6", user_expressions={"product": "x * 7", "error": "nosuch"})
    assert result.user_expressions["product"]["data"]["text/plain"] == "42"
    assert result.user_expressions["error"]["ename"] == "NameError"


def test_top_level_await_magics_and_commands_work(session):
    assert value(session.run("import asyncio; await asyncio.sleep(0, 'awaited')")) == "'awaited'"
    assert stdout(session.run("!echo from the shell")).strip() == "from the shell"
    assert session.run("%time 1 + 1").ok


def test_cells_are_numbered(session):
    first = session.run("1").execution_count
    assert [session.run("1").execution_count for _ in range(2)] == [first + 1, first + 2]


# Starting


async def test_a_session_starts_with_its_first_cell():
    async with AsyncSession() as session:
        assert (session.status, session.generation) == ("starting", 0)
        assert (await session.run("1")).generation == 1
        assert (session.status, session.generation) == ("idle", 1)
    assert session.status == "closed"


async def test_a_start_that_takes_too_long_says_so(kernelspecs):
    kernelspecs.add("slow", ["sleep", "1000"])
    async with AsyncSession(kernel_name="slow") as session:
        with pytest.raises(TimeoutError, match=r"^The kernel was not ready within 0\.2 s\.$"):
            await session.start(timeout=0.2)
        result = await session.run("1", timeout=0.2)
        assert result.status is CellStatus.TIMEOUT
        assert result.cause == "Timeout: the cell did not begin within 0.2 s, because the kernel was not ready."


async def test_a_start_that_fails_is_raised_each_time(kernelspecs):
    kernelspecs.add("fails", ["sh", "-c", "echo no; exit 1"])
    async with AsyncSession(kernel_name="fails") as session:
        for call in (session.start, lambda: session.run("1"), session.restart):
            with pytest.raises(KernelStartError, match="Its output: no"):
                await call()
        assert session.generation == 0


async def test_startup_code_runs_in_every_fresh_kernel_before_all_else():
    async with AsyncSession(startup_code="prepared = __import__('os').getpid()") as session:
        assert value(await session.run("prepared == __import__('os').getpid()")) == "True"
        await session.run("del prepared")
        assert (await session.run("prepared")).status is CellStatus.ERROR  # once in each kernel
        await session.restart()
        assert value(await session.run("prepared == __import__('os').getpid()")) == "True"
        died = await session.run("__import__('os')._exit(1)")
        assert died.status is CellStatus.DIED
        after = await session.run("prepared == __import__('os').getpid()")
        assert (value(after), after.state_kept) == ("True", True)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1/0", "The kernel's startup code failed: ZeroDivisionError: division by zero"),
        ("import os; os._exit(3)", "The kernel's startup code failed: The kernel exited with code 3."),
    ],
)
async def test_startup_code_that_fails_is_a_failed_start(code, message):
    async with AsyncSession(startup_code=code) as session:
        for _ in range(2):
            with pytest.raises(KernelStartError) as caught:
                await session.start()
            assert str(caught.value).startswith(message)


async def test_startup_code_that_hangs_ends_at_the_deadline():
    async with AsyncSession(startup_code="while True: pass") as session:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await session.start(timeout=2)
        assert time.monotonic() - began < 2 + 3


# Another event loop


def test_a_session_of_another_event_loop_says_so_at_once():
    session = AsyncSession(ScriptedKernel(Script()))
    asyncio.run(session.start())
    for call in (session.start, lambda: session.run("1"), session.close):
        with pytest.raises(SessionClosed, match="belongs to the event loop that it was first used in"):
            asyncio.run(call())


# A closed session


async def test_a_closed_session_refuses_everything():
    session = AsyncSession()
    await session.close()
    await session.close()
    for call in (session.start, lambda: session.run("1"), session.restart, session.interrupt):
        with pytest.raises(SessionClosed, match=r"^The session is closed\. Make a new one\.$"):
            await call()
    with pytest.raises(SessionClosed):
        async for _ in session.stream("1"):
            pass


# Handlers of the caller's


async def test_an_output_handler_that_raises_ends_the_cell_and_is_raised():
    async with AsyncSession(timeout=30) as session:
        await session.run("kept = 1")
        seen = []

        def handler(output):
            seen.append(output)
            raise LookupError("the handler's")

        began = time.monotonic()
        with pytest.raises(LookupError, match="the handler's"):
            await session.run("import time\nprint('a', flush=True)\ntime.sleep(1000)", on_output=handler)
        assert time.monotonic() - began < 5
        assert len(seen) == 1
        assert value(await session.run("kept")) == "1"


async def test_an_output_handler_sees_updates_and_clears_as_they_come(session):
    code = (
        "from IPython.display import display, clear_output\n"
        "handle = display({'text/plain': '1'}, raw=True, display_id='d')\n"
        "handle.update({'text/plain': '2'}, raw=True)\nclear_output(wait=True)\nprint('last')"
    )
    seen = []
    result = await asyncio.to_thread(session.run, code, on_output=seen.append)
    assert [type(o) for o in seen] == [DisplayOutput, DisplayOutput, ClearOutput, StreamOutput]
    assert seen[1].update
    assert result.outputs == (StreamOutput("stdout", "last\n"),)


async def test_a_display_is_shown_as_it_was_updated_last(session):
    code = (
        "handle = display({'text/plain': '0'}, raw=True, display_id=True)\n"
        "print('after')\nfor i in range(20): handle.update({'text/plain': str(i)}, raw=True)"
    )
    shown, printed = session.run(code).outputs
    assert (shown.data, printed.text) == ({"text/plain": "19"}, "after\n")


async def test_an_input_handler_that_raises_ends_the_cell_and_is_raised():
    def handler(prompt, secret):  # noqa: ARG001
        raise LookupError("nobody there")

    async with AsyncSession(timeout=30, input_handler=handler) as session:
        await session.run("kept = 1")
        with pytest.raises(LookupError, match="nobody there"):
            await session.run("input()")
        assert value(await session.run("kept")) == "1"


async def test_an_input_handler_may_be_asynchronous_and_is_asked_each_time():
    async def handler(prompt, secret):
        await asyncio.sleep(0)
        return f"{prompt}{secret}"

    async with AsyncSession(timeout=30, input_handler=handler) as session:
        result = await session.run("import getpass\n(input('a'), input(), getpass.getpass('b'))")
        assert value(result) == "('aFalse', 'False', 'bTrue')"


async def test_a_cell_that_waits_for_input_can_be_interrupted():
    asked, answer = asyncio.Event(), asyncio.Event()

    async def handler(prompt, secret):  # noqa: ARG001
        asked.set()
        await answer.wait()
        return "too late"

    async with AsyncSession(timeout=30, input_handler=handler) as session:
        run = asyncio.create_task(session.run("input()"))
        await asked.wait()
        await session.interrupt()
        result = await run
        assert (result.status, result.state_kept) == (CellStatus.INTERRUPTED, True)
        assert (await session.run("1")).ok


# Limits


def test_the_file_has_the_whole_of_an_output_too_large_for_memory(tmp_path):
    with Session(limits=Limits(memory=100_000), spool_dir=tmp_path) as session:
        result = session.run("for i in range(100_000): print(i)")
        whole = "".join(f"{i}\n" for i in range(100_000))
        head, omitted, tail = result.outputs
        assert Path(omitted.location).read_text() == whole
        assert Path(omitted.location).parent == tmp_path
        assert whole == head.text + whole[len(head.text) : len(head.text) + omitted.characters] + tail.text
        assert f"The whole output is in {omitted.location}." in result.text
        assert session.run("'small'").ok
        assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(memory=100_000, spool=200_000), "print('x' * 1_000_000)"),
        (Limits(memory=100_000), "print('x' * 1_000_000); from IPython.display import clear_output; clear_output()"),
        (Limits(memory=100_000), "print('x' * 10_000)"),
    ],
    ids=["past its own limit", "cleared", "small"],
)
def test_a_file_that_no_output_names_is_not_left(tmp_path, limits, code):
    with Session(limits=limits, spool_dir=tmp_path) as session:
        result = session.run(code)
        assert not any(isinstance(o, OmittedOutput) and o.location for o in result.outputs)
        assert list(tmp_path.iterdir()) == []


async def test_a_call_that_raises_leaves_no_file(tmp_path):
    async with AsyncSession(limits=Limits(memory=10_000), spool_dir=tmp_path, timeout=30) as session:
        large = asyncio.Event()
        code = "import time\nprint('x' * 100_000, flush=True)\ntime.sleep(1000)"
        run = asyncio.create_task(session.run(code, on_output=lambda _: large.set()))
        await large.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert list(tmp_path.iterdir()) == []


def test_what_a_dying_kernel_wrote_and_nobody_could_keep_is_counted():
    with Session() as session:
        result = session.run("import os\nprint('x' * 100_000 + 'end')\nos._exit(3)")
    shown = "".join(output.text for output in result.outputs)
    assert shown.endswith("xxxend\n")
    lost = 100_004 - len(shown)
    assert lost > 0
    assert result.incomplete == (
        f"The output is incomplete: {lost} characters that the kernel wrote before it died were lost."
    )
    assert result.incomplete in result.text


def test_a_full_disk_is_told_and_ends_nothing(tmp_path):
    with Session(limits=Limits(memory=10_000), spool_dir=tmp_path) as session:
        session.start()
        with disk_full_after(50_000):
            result = session.run("print('x' * 1_000_000)\n'done'")
        assert value(result) == "'done'"
        assert result.incomplete == "The whole output could not be kept in a file: [Errno 27] File too large."
        assert result.incomplete in result.text
        assert list(tmp_path.iterdir()) == []


FLOOD = """
import resource, sys, time
from cellblock import Session
from cellblock._core.outputs import Limits

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

with Session(limits=Limits(memory=1_000_000, spool=2_000_000)) as session:
    session.run("kept = 1")
    before, began = memory(), time.monotonic()
    result = session.run(sys.argv[1], timeout=2)
    print(memory() - before, time.monotonic() - began, result.status, result.state_kept, session.run("kept").ok)
"""


@pytest.mark.parametrize(
    "code",
    ["while True: print('x' * 100)", "while True: display({'text/plain': 'x' * 100}, raw=True)"],
    ids=["prints", "displays"],
)
async def test_a_flood_leaves_the_clients_memory_bounded_and_the_state_kept(code, tmp_path):
    """The most this process ever had, in megabytes, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FLOOD, code),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    output, _ = await process.communicate()
    grown, seconds, *rest = output.decode().split()
    assert int(grown) < 100
    assert float(seconds) < 2 + 3
    assert rest == ["timeout", "True", "True"]


# Many


@pytest.mark.parametrize("count", [8, 32])
async def test_many_sessions_run_at_once(count):
    async with contextlib.AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(AsyncSession(timeout=100)) for _ in range(count)]
        await asyncio.gather(*(session.run(f"number = {i}") for i, session in enumerate(sessions)))
        results = await asyncio.gather(*(session.run("print('x' * 1000); number") for session in sessions))
    assert [value(result) for result in results] == [str(i) for i in range(count)]
    assert all(stdout(result) == "x" * 1000 + "\n" for result in results)


# Another language


@pytest.fixture(scope="module")
def bash(kernelspecs):  # noqa: ARG001
    with Session(kernel_name="bash", timeout=30) as session:
        session.start()
        yield session


def test_another_languages_kernel_runs_and_keeps_its_state(bash):
    assert bash.run("greeting=hello").ok
    result = bash.run("echo $greeting; echo problem >&2")
    assert "hello\n" in stdout(result)
    assert (result.status, result.missing) == (CellStatus.OK, 0)


def test_another_languages_kernel_fails_as_it_does(bash):
    result = bash.run("nosuchcommand")
    assert (result.status, result.exit_code) == (CellStatus.ERROR, 1)
    assert isinstance(result.outputs[-1], ErrorOutput)


def test_another_languages_kernel_is_interrupted_and_goes_on(bash):
    bash.run("kept=here")
    result = bash.run("echo began; sleep 1000", timeout=1)
    assert result.status is CellStatus.TIMEOUT
    assert stdout(result).startswith("began\n")
    after = bash.run("echo $kept")
    assert after.ok
    assert (stdout(after) == "here\n") is result.state_kept


def test_another_languages_kernel_may_die(bash):
    generation = bash.generation
    result = bash.run("kill -9 $PPID")
    assert (result.status, result.cause) == (CellStatus.DIED, "The kernel was killed by signal 9 (SIGKILL).")
    assert bash.run("echo again").generation == generation + 1
