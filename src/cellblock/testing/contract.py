"""The life of a cell, point by point, as tests that every back end must pass.

The numbers in the names are those of the contract in the documentation, "How a cell runs".
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from cellblock._core.outputs import (
    DisplayOutput,
    ErrorOutput,
    Limits,
    OmittedOutput,
    ResultOutput,
    StreamOutput,
)
from cellblock._core.results import CellResult, CellStatus
from cellblock.blocking import Session
from cellblock.errors import CellError, CellTimeout, SessionClosed
from cellblock.kernels import Kernel
from cellblock.session import AsyncSession

__all__ = ["SessionContract"]

MakeKernel = Callable[[], Kernel]

HANGING = {
    "endless_loop": "while True: pass",
    "sleep": "import time; time.sleep(1000)",
    "await_sleep": "import asyncio; await asyncio.sleep(1e9)",
    "blocking_under_gather": (
        "import asyncio, time\nasync def block(): time.sleep(1000)\nawait asyncio.gather(block(), block(), block(), block())"
    ),
    "loop_after_await": "import asyncio; await asyncio.sleep(0)\nwhile True: pass",
    "swallows_interrupts": (
        "import time\nwhile True:\n    try:\n        time.sleep(1000)\n    except KeyboardInterrupt:\n        pass"
    ),
    "huge_power": "10 ** 10 ** 9 % 7",
    "regular_expression": "import re; re.match(r'(a+)+$', 'a' * 60 + 'b')",
    "hung_subprocess": "import subprocess; subprocess.run(['sleep', '1000'])",
    "shell_command": "!sleep 1000",
}


class SessionContract:
    """The contract of a cell on one back end. Override the fixture ``make_kernel``.

    Attributes:
        grace: Seconds a call may take beyond its deadline.
        death_notice: Seconds within which the death of a kernel must be reported.
        own_kernel: Whether the kernel runs cellblock's program, which keeps the order of the two streams, the origin of
            what threads print, and what was printed in the moment of a death.
        server_limits_rate: Whether a Jupyter server stands between that drops output beyond a rate: the result must say so.
    """

    grace: ClassVar[float] = 3.0
    death_notice: ClassVar[float] = 0.5
    own_kernel: ClassVar[bool] = True
    server_limits_rate: ClassVar[bool] = False

    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls) -> MakeKernel:
        """Gives what makes a kernel of this back end; called once for each session."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def session(cls, make_kernel: MakeKernel) -> Iterator[Session]:
        """A session the tests of a class share."""
        with Session(make_kernel(), timeout=60) as session:
            session.start()
            yield session

    @pytest.fixture(autouse=True)
    def _session_is_live_again(self, session: Session) -> Iterator[None]:
        """Lets each test begin with a kernel that runs, whatever the one before did to it."""
        yield
        session.start()

    # 1. One deadline

    def test_1_endless_output_ends_at_the_deadline(self, session: Session) -> None:
        """A cell that prints for ever returns within its deadline plus the grace, with what it printed."""
        session.run("kept = 'kept'")
        began = time.monotonic()
        result = session.run("while True: print('line')", timeout=2)
        assert time.monotonic() - began < 2 + self.grace
        assert result.status is CellStatus.TIMEOUT
        assert stdout(result).startswith("line\nline\n")
        again = session.run("kept", timeout=10)
        assert again.ok
        assert again.state_kept

    def test_1_the_deadline_covers_waiting_for_another_cell(self, session: Session) -> None:
        """A call whose time passes while another cell runs says so and has run nothing."""
        session.run("ran = False")
        other = threading.Thread(target=session.run, args=("import time; time.sleep(2)",))
        other.start()
        wait_until(lambda: session.status == "busy")
        result = session.run("ran = True", timeout=0.5)
        other.join()
        assert result.status is CellStatus.TIMEOUT
        assert "did not begin" in result.cause
        assert value(session.run("ran")) == "False"

    # 2. Over means reply and idle

    def test_2_the_result_is_there_when_the_call_returns(self, session: Session) -> None:
        """Reply and outputs come on different channels and in any order; none is missed."""
        for number in range(30):
            assert value(session.run(f"print({number}); {number}")) == str(number)

    def test_2_late_output_is_marked_and_not_the_next_cells(self, session: Session) -> None:
        """What a thread prints after its cell is over never stands among the next cell's outputs."""
        session.run(
            "import threading\n"
            "go, gone = threading.Event(), threading.Event()\n"
            "def speak():\n    go.wait(); print('late words', flush=True); gone.set()\n"
            "threading.Thread(target=speak).start()"
        )
        result = session.run("go.set(); gone.wait(); print('own words')")
        later = session.run("pass")
        late = "".join(o.text for o in (*result.late, *later.late) if isinstance(o, StreamOutput))
        if self.own_kernel:
            assert (stdout(result), late) == ("own words\n", "late words\n")
        else:  # ipykernel gives a thread's words to the cell that runs: they are not lost, and that is all one can say
            assert "late words" in stdout(result) + late

    # 3. Nothing is lost silently

    def test_3_output_before_an_error_is_kept(self, session: Session) -> None:
        """An exception does not take away what was shown before it."""
        result = session.run("print('before'); 1/0")
        assert stdout(result) == "before\n"
        assert isinstance(result.outputs[-1], ErrorOutput)
        assert result.error is not None
        assert result.error.ename == "ZeroDivisionError"

    @pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "__import__('ctypes').string_at(0)"])
    def test_3_output_before_death_is_kept(self, session: Session, end: str) -> None:
        """Neither does the kernel's death, even in the same moment."""
        pause = "" if self.own_kernel else "import time; time.sleep(0.5)"
        result = session.run(f"import os\nfor i in range(1000): print('last words', i)\n{pause}\n{end}")
        assert result.status is CellStatus.DIED
        assert stdout(result) == "".join(f"last words {i}\n" for i in range(1000))

    def test_3_a_large_print_is_complete(self, session: Session) -> None:
        """Ten megabytes in one print arrive whole."""
        result = session.run("print('x' * 10_000_000)")
        if self.server_limits_rate:
            assert "The output is incomplete" in result.incomplete
            assert result.missing == 1
        else:
            assert result.missing == 0
            assert stdout(result) == "x" * 10_000_000 + "\n"

    def test_3_many_displays_are_complete(self, session: Session) -> None:
        """Thousands of displays, which no stream joins, arrive all and in order; or the result says how many did not.

        A kernel or a server that is not ours drops what a slow reader has not taken yet.
        """
        result = session.run("for i in range(3000): display({'text/plain': str(i)}, raw=True)")
        shown = [int(o.data["text/plain"]) for o in result.outputs if isinstance(o, DisplayOutput)]
        assert shown == sorted(shown)
        assert len(shown) + result.missing == 3000
        assert bool(result.incomplete) is (result.missing > 0)
        if self.own_kernel:
            assert result.missing == 0

    def test_3_streams_keep_their_order(self, session: Session) -> None:
        """Both streams and displays stand in the order in which the code made them."""
        code = "import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c'); display({'text/plain': 'd'}, raw=True); 'e'"
        kinds = [type(o).__name__ for o in session.run(code).outputs]
        assert kinds[-2:] == ["DisplayOutput", "ResultOutput"]
        assert kinds[:-2] == ["StreamOutput"] * (3 if self.own_kernel else 2)

    def test_3_what_a_limit_cuts_is_said(self, make_kernel: MakeKernel) -> None:
        """Past the limit the head and the tail are kept, and how much is missing between them."""
        with Session(make_kernel(), timeout=60, limits=Limits(memory=100_000, spool=0)) as session:
            result = session.run("for i in range(100_000): print(i)")
        omitted = [o for o in result.outputs if isinstance(o, OmittedOutput)]
        text = stdout(result)
        assert len(omitted) == 1
        assert text.startswith("0\n1\n2\n")
        assert text.endswith("99999\n")
        assert len(text) + omitted[0].characters == sum(len(f"{i}\n") for i in range(100_000))

    # 4. After a timeout the session works

    @pytest.mark.parametrize("name", HANGING)
    def test_4_a_hanging_cell_is_ended_and_the_next_runs(self, session: Session, name: str) -> None:
        """Each cell needs another step of the ladder; after each the session answers and says what became of its state."""
        session.run("kept = 'kept'")
        before = session.generation
        began = time.monotonic()
        result = session.run(HANGING[name], timeout=1)
        assert time.monotonic() - began < 1 + self.grace
        assert result.status is CellStatus.TIMEOUT
        assert result.exit_code == 124
        after = session.run("'kept' in globals()")
        assert after.ok
        assert value(after) == str(result.state_kept)
        if self.own_kernel:  # only what will not be interrupted costs it
            assert result.state_kept is (name != "swallows_interrupts")
        assert (session.generation == before) is result.state_kept
        assert ("all variables and imports were lost" in " ".join(result.notes)) is not result.state_kept

    def test_4_a_child_process_that_outlives_its_cell_does_not_hold_it(self, session: Session) -> None:
        """A cell is over when its code is, whatever it left running."""
        result = session.run(
            "import subprocess; child = subprocess.Popen(['sleep', '1000']); print('started')", timeout=20
        )
        assert result.ok
        assert session.run("child.kill(); child.wait()").ok

    # 5. The truth about state

    def test_5_ok_and_error_have_their_status(self, session: Session) -> None:
        """Success is 0 and an exception 1, and neither costs the state."""
        good, bad = session.run("1"), session.run("undefined_name")
        assert (good.status, good.exit_code, good.state_kept) == (CellStatus.OK, 0, True)
        assert (bad.status, bad.exit_code, bad.state_kept) == (CellStatus.ERROR, 1, True)
        with pytest.raises(CellError, match="undefined_name"):
            bad.raise_for_error()

    @pytest.mark.parametrize(
        "code", ["import os; os._exit(7)", "import os; os.kill(os.getpid(), 9)", "import ctypes; ctypes.string_at(0)"]
    )
    def test_5_a_death_is_reported_at_once_with_its_cause(self, session: Session, code: str) -> None:
        """A kernel that ends is noticed when it ends, not at the deadline; the next call has a fresh one."""
        session.run("kept = 1")
        generation = session.generation
        began = time.monotonic()
        result = session.run(code, timeout=60)
        assert time.monotonic() - began < self.death_notice + 0.5  # the crash itself may write a core file first
        assert (result.status, result.exit_code, result.state_kept) == (CellStatus.DIED, 137, False)
        assert result.cause
        assert result.generation == generation
        after = session.run("'kept' in globals()")
        assert (value(after), after.generation) == ("False", generation + 1)

    def test_5_a_death_between_cells_is_told_by_the_next_result(self, session: Session) -> None:
        """State that was lost while nothing ran is not passed over."""
        session.run("import os, threading; kept = 1; threading.Timer(0.3, os._exit, [5]).start()")
        wait_until(lambda: session.status == "dead", within=self.death_notice + 5)
        result = session.run("'kept' in globals()")
        assert value(result) == "False"
        assert not result.state_kept
        assert "Before this cell" in result.cause

    def test_5_exit_ends_the_kernel_and_says_so(self, session: Session) -> None:
        """``exit()`` succeeds, and its price is told."""
        result = session.run("exit()")
        assert result.ok
        assert not result.state_kept
        assert value(session.run("1 + 1")) == "2"

    def test_5_sys_exit_is_an_error(self, session: Session) -> None:
        """``sys.exit(n)`` is an exception like others and keeps the kernel."""
        result = session.run("import sys; sys.exit(3)")
        assert (result.status, result.exit_code, result.state_kept) == (CellStatus.ERROR, 1, True)
        assert result.error is not None
        assert result.error.ename == "SystemExit"

    def test_5_restart_forgets_and_counts(self, session: Session) -> None:
        """A restart that was asked for is a new generation with no variables, and no news."""
        session.run("kept = 1")
        generation = session.generation
        session.restart()
        result = session.run("'kept' in globals()")
        assert (value(result), result.generation, result.state_kept) == ("False", generation + 1, True)

    def test_5_raise_for_error_tells_timeouts_apart(self, session: Session) -> None:
        """A timeout can be caught as TimeoutError."""
        result = session.run("import time; time.sleep(1000)", timeout=0.5)
        with pytest.raises(CellTimeout) as caught:
            result.raise_for_error()
        assert isinstance(caught.value, TimeoutError)

    # 6. One cell at a time

    def test_6_concurrent_calls_run_one_after_another(self, session: Session) -> None:
        """Calls from several threads queue in order and never run at once."""
        session.run("import time; running = 0; most = 0")
        code = "running += 1; most = max(most, running); time.sleep(0.02); running -= 1"
        threads = [threading.Thread(target=session.run, args=(code,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert value(session.run("most")) == "1"

    def test_6_interrupt_ends_the_cell_and_keeps_state(self, session: Session) -> None:
        """An interrupt from another thread gives a result that says so."""
        session.run("kept = 'kept'")
        timer = threading.Timer(0.5, session.interrupt)
        timer.start()
        result = session.run("import time\nprint('began', flush=True)\ntime.sleep(1000)")
        timer.join()
        assert (result.status, result.exit_code) == (CellStatus.INTERRUPTED, 130)
        assert stdout(result) == "began\n"
        assert value(session.run("kept")) == "'kept'"

    def test_6_cancelling_interrupts_the_cell_first(self, make_kernel: MakeKernel) -> None:
        """When a cancelled call has raised, its cell has ended."""

        async def scenario() -> str:
            async with AsyncSession(make_kernel(), timeout=60) as session:
                await session.run("import time; ended = False")
                began = asyncio.Event()
                code = "try:\n    print('began', flush=True); time.sleep(1000)\nfinally:\n    ended = True"
                run = asyncio.create_task(session.run(code, on_output=lambda _: began.set()))
                await began.wait()
                run.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await run
                return value(await session.run("ended"))

        assert asyncio.run(scenario()) == "True"

    def test_6_leaving_a_stream_early_interrupts_the_cell(self, session: Session) -> None:
        """Outputs come while the cell runs, and leaving ends it."""
        began = time.monotonic()
        for output in session.stream("import time\nfor i in range(1000):\n    print(i, flush=True); time.sleep(0.1)"):
            assert isinstance(output, StreamOutput)
            assert output.text.rstrip() == "0"  # the end of the line may come by itself
            break
        assert time.monotonic() - began < self.grace
        assert int(value(session.run("i"))) < 50

    def test_6_a_stream_gives_all_and_then_the_result(self, session: Session) -> None:
        """What is streamed is what the result has."""
        stream = session.stream("print('a', flush=True)\n6 * 7")
        *printed, last = stream
        text = "".join(output.text for output in printed if isinstance(output, StreamOutput))  # which may come in parts
        assert [StreamOutput("stdout", text), last] == list(stream.result.outputs)
        assert stream.result.ok

    # 7. Who starts a thing stops it

    def test_7_a_closed_session_refuses_and_its_kernel_is_gone(self, make_kernel: MakeKernel) -> None:
        """Close ends the kernel, twice does no harm, and later calls say what is wrong."""
        session = Session(make_kernel(), timeout=60)
        session.run("1")
        session.close()
        session.close()
        assert session.status == "closed"
        with pytest.raises(SessionClosed):
            session.run("1")

    # 8. stdin

    def test_8_input_without_a_handler_fails_at_once(self, session: Session) -> None:
        """Nobody can answer, so nobody waits."""
        began = time.monotonic()
        result = session.run("input('name? ')")
        assert time.monotonic() - began < self.grace
        assert result.status is CellStatus.ERROR
        assert result.error is not None
        assert "StdinNotImplementedError" in result.error.ename

    def test_8_a_handler_answers_and_the_deadline_waits_for_it(self, make_kernel: MakeKernel) -> None:
        """The prompt reaches the handler, its answer the code, and its thinking costs the cell no time."""
        asked = []

        def answer(prompt: str, secret: bool) -> str:
            asked.append((prompt, secret))
            time.sleep(1.5)  # a person thinks longer than the cell may run
            return "Ada"

        with Session(make_kernel(), timeout=60, input_handler=answer) as session:
            session.start()
            result = session.run("name = input('name? '); name", timeout=1)
            assert value(result) == "'Ada'"
            assert asked == [("name? ", False)]
            session.run("import getpass; getpass.getpass('key? ')", timeout=10)
            assert asked[-1] == ("key? ", True)


def stdout(result: CellResult) -> str:
    """All the cell wrote to stdout."""
    return "".join(o.text for o in result.outputs if isinstance(o, StreamOutput) and o.name == "stdout")


def value(result: CellResult) -> str:
    """The value of the cell's last expression, as text."""
    values = [o.data["text/plain"] for o in result.outputs if isinstance(o, ResultOutput)]
    assert len(values) == 1, f"one value was expected: {result}"
    return str(values[0])


def wait_until(condition: Callable[[], bool], within: float = 10) -> None:
    """Waits for something that announces itself in no other way."""
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)
