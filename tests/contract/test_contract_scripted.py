"""The contract of a cell, point by point, where the wire or the kernel does what no real one does on demand."""

import asyncio
import time

import pytest

from cellblock._core.outputs import DisplayOutput, ErrorOutput, ResultOutput, StreamOutput
from cellblock._core.results import CellStatus
from cellblock.errors import ConnectError, KernelStartError, SessionClosed
from cellblock.session import AsyncSession
from cellblock.testing import Script, ScriptedKernel
from cellblock.testing.steps import (
    after,
    asks,
    busy,
    clear,
    dies,
    display,
    error,
    fails,
    foreign,
    hangs_up,
    idle,
    interrupted,
    lost,
    reply,
    result,
    say,
    stream,
    waits_for,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def script():
    script = Script()
    script.on("ok", busy(), result("42"), reply(), idle())
    return script


@pytest.fixture
def kernel(script):
    return ScriptedKernel(script)


@pytest.fixture
async def session(kernel):
    async with AsyncSession(kernel, timeout=20) as session:
        yield session


def values(result):
    return [o.data["text/plain"] for o in result.outputs if isinstance(o, ResultOutput)]


async def eventually(condition):
    """Waits for something that announces itself in no other way."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


# 1. One deadline


async def test_1_a_kernel_that_never_becomes_ready_ends_at_the_deadline(script, session):
    script.on_start(waits_for(asyncio.Event().wait))
    began = time.monotonic()
    ran = await session.run("ok", timeout=0.3)
    assert time.monotonic() - began < 1
    assert ran.status is CellStatus.TIMEOUT
    assert ran.cause == "Timeout: the cell did not begin within 0.3 s, because the kernel was not ready."


async def test_1_a_start_that_took_too_long_for_one_call_serves_the_next(script, kernel, session):
    ready = asyncio.Event()
    script.on_start(waits_for(ready.wait))
    assert (await session.run("ok", timeout=0.2)).status is CellStatus.TIMEOUT
    assert session.status == "starting"
    ready.set()
    assert values(await session.run("ok")) == ["42"]
    assert kernel.starts == 1


async def test_1_output_without_end_does_not_move_the_deadline(script, session):
    script.on("endless", busy(), *[step for _ in range(2000) for step in (stream("x"), after(0.001))])
    began = time.monotonic()
    ran = await session.run("endless", timeout=0.5)
    assert ran.status is CellStatus.TIMEOUT
    assert time.monotonic() - began < 0.5 + 2


# 2. Over means reply and idle


async def test_2_a_reply_before_the_outputs_ends_nothing(script, session):
    script.on("early", reply(), after(0.2), busy(), stream("printed"), result("1"), idle())
    ran = await session.run("early")
    assert ran.outputs[0] == StreamOutput("stdout", "printed")
    assert values(ran) == ["1"]
    assert not ran.incomplete


async def test_2_idle_before_the_reply_ends_nothing(script, session):
    script.on("late reply", busy(), idle(), after(0.2), reply("error"))
    ran = await session.run("late reply")
    assert ran.status is CellStatus.ERROR


async def test_2_another_clients_cell_is_not_ours(script, session):
    script.on(
        "mine", foreign(busy()), foreign(stream("theirs")), foreign(lost(reply())), foreign(idle()),
        busy(), foreign(busy()), foreign(lost(reply())), foreign(idle()), stream("mine"), reply(), idle(),
    )  # fmt: skip
    ran = await session.run("mine")
    assert ran.outputs == (StreamOutput("stdout", "mine"),)
    assert (ran.late, ran.missing) == ((), 0)


async def test_2_late_output_is_kept_and_marked(script, session):
    script.on("thread", busy(), reply(), idle(), after(0.05), stream("after the end"))
    assert (await session.run("thread")).outputs == ()
    ran = await session.run("ok")
    assert values(ran) == ["42"]
    assert ran.late == (StreamOutput("stdout", "after the end"),)
    assert (await session.run("ok")).late == ()


# 3. Nothing is lost silently


async def test_3_a_lost_idle_is_found_out_by_asking(script, kernel, session):
    script.on("lossy", busy(), stream("a"), reply(), lost(idle()))
    began = time.monotonic()
    ran = await session.run("lossy")
    assert time.monotonic() - began < 3
    assert (ran.status, ran.missing) == (CellStatus.OK, 1)
    assert ran.incomplete == "The output is incomplete: 1 message of the kernel did not arrive."
    assert kernel.received[-1].msg_type == "kernel_info_request"


async def test_3_what_is_lost_together_with_the_idle_is_counted(script, session):
    """By the numbers of the answer that took the idle's place."""
    script.on("lossy", busy(), stream("a"), *[lost(stream("b"))] * 1000, reply(), lost(idle()))
    ran = await session.run("lossy")
    assert (ran.status, ran.missing) == (CellStatus.OK, 1001)
    assert ran.incomplete == "The output is incomplete: 1001 messages of the kernel did not arrive."


async def test_3_a_kernel_that_answers_and_is_not_heard_is_replaced(script, kernel, session):
    """Its channel of outputs is broken somewhere on the way, which it cannot know."""
    script.on("unheard", busy(), reply(), lost(idle()))
    script.on_request("kernel_info_request", lost(busy()), reply(), lost(idle()))
    begin = time.monotonic()
    result = await session.run("unheard")
    assert time.monotonic() - begin < 10  # of 20
    assert result.status is CellStatus.DIED
    assert "what it shows does not arrive any more" in result.text
    assert not result.state_kept
    assert values(await session.run("ok")) == ["42"]
    assert kernel.starts == 2


async def test_3_a_kernel_that_is_not_heard_is_replaced_too_when_the_time_is_up_first(script, kernel, session):
    script.on("unheard", busy(), reply(), lost(idle()))
    script.on_request("kernel_info_request", lost(busy()), reply(), lost(idle()))
    result = await session.run("unheard", timeout=1.5)
    assert result.status is CellStatus.TIMEOUT
    assert "what it shows does not arrive any more" in result.text
    assert values(await session.run("ok")) == ["42"]
    assert kernel.starts == 2


async def test_3_a_kernel_that_still_has_much_to_say_is_listened_to(script, kernel, session):
    """Its reply, and its answers to questions, overtake what it shows."""
    shown = []

    async def show_in_the_background(stage):
        async def show():
            for number in range(8):
                stage.transport.say(stream(f"{number}\n"), stage.request)
                await asyncio.sleep(0.5)
            stage.transport.say(idle(), stage.request)

        shown.append(asyncio.create_task(show()))

    script.on("talkative", busy(), reply(), show_in_the_background)
    script.on_request("kernel_info_request", lost(busy()), reply(), lost(idle()))
    result = await session.run("talkative")
    assert result.ok
    assert [output.text for output in result.outputs] == ["0\n1\n2\n3\n4\n5\n6\n7\n"]
    questions = [message for message in kernel.received if message.msg_type == "kernel_info_request"]
    assert len(questions) > 1
    assert kernel.starts == 1


async def test_3_a_lost_reply_is_found_out_by_asking(script, session):
    script.on("lossy", busy(), stream("a"), lost(reply()), idle())
    ran = await session.run("lossy")
    assert (ran.status, ran.exit_code, ran.missing) == (CellStatus.ERROR, 1, 1)  # nobody knows of any success
    assert ran.cause == "The kernel gave no answer to this cell, so whether its code succeeded is not known."


async def test_3_lost_outputs_are_counted(script, session):
    script.on("lossy", busy(), stream("a"), lost(stream("b")), lost(stream("c")), stream("d"), reply(), idle())
    ran = await session.run("lossy")
    assert ran.outputs == (StreamOutput("stdout", "ad"),)
    assert "2 messages" in ran.incomplete


async def test_3_outputs_that_were_only_slow_are_waited_for(script, session):
    """What is counted as missing may still be on its way when reply and idle are there."""
    script.on("slow", busy(), stream("a"), reply(), say("iopub", "status", {}), idle())
    ran = await session.run("slow")
    assert not ran.incomplete


async def test_3_an_error_whose_output_was_lost_is_shown_from_the_reply(script, session):
    content = {"ename": "ValueError", "evalue": "bad", "traceback": ["ValueError: bad"]}
    script.on("raises", busy(), lost(error("ValueError", "bad")), reply("error", content), idle())
    ran = await session.run("raises")
    assert ran.status is CellStatus.ERROR
    assert ran.outputs == (ErrorOutput("ValueError", "bad", ("ValueError: bad",)),)
    assert ran.missing == 1


async def test_3_output_before_a_death_is_kept(script, session):
    script.on("dies", busy(), stream("last words"), dies("The kernel exited with code 7."))
    ran = await session.run("dies")
    assert ran.outputs == (StreamOutput("stdout", "last words"),)


async def test_3_updates_and_clears_leave_what_a_notebook_shows(script, session):
    script.on(
        "shows", busy(), stream("gone"), clear(wait=True), display({"text/plain": "1"}, "d"), stream("kept"),
        display({"text/plain": "2"}, "d", update=True), reply(), idle(),
    )  # fmt: skip
    seen = []
    ran = await session.run("shows", on_output=seen.append)
    assert ran.outputs == (DisplayOutput({"text/plain": "2"}, display_id="d"), StreamOutput("stdout", "kept"))
    assert len(seen) == 5


# 4. After a timeout the session works


async def test_4_the_first_interrupt_is_enough_for_most(script, kernel, session):
    script.on("hangs", busy(), interrupted(), error("KeyboardInterrupt"), reply("error"), idle())
    ran = await session.run("hangs", timeout=0.3)
    assert (ran.status, ran.state_kept, kernel.interrupts) == (CellStatus.TIMEOUT, True, 1)
    assert ran.cause == "Timeout: the cell was stopped after 0.3 s. Variables and imports are kept."
    assert (await session.run("ok")).ok


async def test_4_the_second_comes_with_a_request(script, kernel, session):
    script.on("hangs", busy(), interrupted(2), reply("error"), idle())
    ran = await session.run("hangs", timeout=0.3)
    assert (ran.state_kept, kernel.interrupts, kernel.starts) == (True, 2, 1)
    assert kernel.received[-1].msg_type == "kernel_info_request"


async def test_4_what_does_not_stop_costs_the_kernel(script, kernel, session):
    script.on("hangs", busy(), interrupted(9))
    began = time.monotonic()
    ran = await session.run("hangs", timeout=0.3)
    assert time.monotonic() - began < 0.3 + 2
    assert (ran.status, ran.state_kept, ran.generation) == (CellStatus.TIMEOUT, False, 1)
    assert ran.cause == (
        "Timeout: the cell was stopped after 0.3 s. It did not stop when interrupted, so its kernel was killed."
    )
    after_it = await session.run("ok")
    assert (after_it.ok, after_it.state_kept, after_it.generation, kernel.starts) == (True, True, 2, 2)


async def test_4_a_cell_whose_idle_is_lost_while_it_is_stopped_keeps_the_state(script, session):
    script.on("hangs", busy(), interrupted(), reply("error"), lost(idle()))
    ran = await session.run("hangs", timeout=0.3)
    assert (ran.status, ran.state_kept) == (CellStatus.TIMEOUT, True)


# 5. The truth about state


async def test_5_a_death_is_told_with_its_cause_and_the_next_call_has_a_new_kernel(script, session):
    script.on("dies", busy(), dies("The kernel was killed by signal 9 (SIGKILL)."))
    began = time.monotonic()
    ran = await session.run("dies")
    assert time.monotonic() - began < 0.5
    assert (ran.status, ran.exit_code, ran.state_kept) == (CellStatus.DIED, 137, False)
    assert ran.cause == "The kernel was killed by signal 9 (SIGKILL)."
    assert "all variables and imports were lost" in ran.text
    assert (await session.run("ok")).generation == 2


async def test_5_a_death_between_cells_is_told_once(kernel, session):
    await session.run("ok")
    kernel.die("The kernel exited with code 5.")
    await eventually(lambda: session.status == "dead")
    ran = await session.run("ok")
    assert (ran.ok, ran.state_kept, ran.generation) == (True, False, 2)
    assert ran.cause == "Before this cell: The kernel exited with code 5."
    assert (await session.run("ok")).notes == ()


async def test_5_a_connection_that_ends_costs_the_kernel_and_says_so(script, session):
    script.on("cut", busy(), stream("so far"), hangs_up())
    ran = await session.run("cut")
    assert (ran.status, ran.state_kept) == (CellStatus.DIED, False)
    assert ran.cause == "The scripted connection has ended."
    assert ran.outputs == (StreamOutput("stdout", "so far"),)
    assert (await session.run("ok")).ok


async def test_5_an_aborted_cell_did_not_run(script, session):
    script.on("aborted", busy(), reply("aborted"), idle())
    ran = await session.run("aborted")
    assert (ran.status, ran.exit_code) == (CellStatus.NOT_RUN, 1)


async def test_5_exit_is_told_and_the_kernel_replaced(script, kernel, session):
    script.on("exit()", busy(), reply("ok", {"payload": [{"source": "ask_exit"}]}), idle())
    ran = await session.run("exit()")
    assert (ran.status, ran.state_kept) == (CellStatus.OK, False)
    assert ran.cause == "The code ended its kernel by calling exit()."
    await session.run("ok")
    assert kernel.starts == 2


async def test_5_a_kernel_that_does_not_start_is_told_and_tried_again(script, kernel, session):
    script.on_start(fails(KernelStartError("It said: no.")))
    script.on_start(fails(ConnectError("Nobody there.")))
    script.on_start()
    with pytest.raises(KernelStartError, match=r"^It said: no\.$"):
        await session.run("ok")
    with pytest.raises(ConnectError):
        await session.start()
    assert (await session.run("ok")).generation == 1
    assert kernel.starts == 3


async def test_5_a_kernel_that_dies_again_and_again_is_started_again_and_again(script, session):
    script.on("dies", busy(), dies("The kernel exited with code 1."))
    for generation in range(1, 6):
        ran = await session.run("dies")
        assert (ran.status, ran.generation) == (CellStatus.DIED, generation)


# 6. One cell at a time


async def test_6_calls_wait_for_their_turn_in_order(script, session):
    for number in range(5):
        script.on(str(number), busy(), after(0.01), stream(str(number)), reply(), idle())
    order = []
    await asyncio.gather(*(session.run(str(n), on_output=lambda o: order.append(o.text)) for n in range(5)))
    assert order == ["0", "1", "2", "3", "4"]


async def test_6_an_interrupt_ends_the_cell(script, session):
    script.on("hangs", busy(), stream("began"), interrupted(), reply("error"), idle())
    began = asyncio.Event()
    run = asyncio.create_task(session.run("hangs", on_output=lambda _: began.set()))
    await began.wait()
    assert session.status == "busy"
    await session.interrupt()
    ran = await run
    assert (ran.status, ran.cause) == (
        CellStatus.INTERRUPTED,
        "The cell was interrupted. Variables and imports are kept.",
    )


async def test_6_an_interrupt_with_nothing_running_does_nothing(kernel, session):
    await session.run("ok")
    await session.interrupt()
    assert (await session.run("ok")).ok
    assert kernel.interrupts == 0


async def test_6_a_cancelled_call_that_still_waits_runs_nothing(script, kernel, session):
    finish = asyncio.Event()
    script.on("first", busy(), waits_for(finish.wait), reply(), idle())
    first = asyncio.create_task(session.run("first"))
    await eventually(lambda: session.status == "busy")
    second = asyncio.create_task(session.run("ok"))
    await asyncio.sleep(0.01)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    finish.set()
    assert (await first).ok
    assert [m.content["code"] for m in kernel.received if m.msg_type == "execute_request"] == ["first"]


async def test_6_cancelling_a_cell_interrupts_it_first(script, kernel, session):
    script.on("hangs", busy(), stream("began"), interrupted(), reply("error"), idle())
    began = asyncio.Event()
    run = asyncio.create_task(session.run("hangs", on_output=lambda _: began.set()))
    await began.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert (kernel.interrupts, session.status) == (1, "idle")
    assert (await session.run("ok")).generation == 1


async def test_6_cancelling_during_the_start_leaves_the_start_to_the_next_call(script, kernel, session):
    ready = asyncio.Event()
    script.on_start(waits_for(ready.wait))
    run = asyncio.create_task(session.run("ok"))
    await eventually(lambda: kernel.starts == 1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    ready.set()
    assert (await session.run("ok")).ok
    assert kernel.starts == 1


# 7. Who starts a thing stops it


async def test_7_closing_ends_a_running_cell(script, kernel, session):
    script.on("hangs", busy(), stream("began"), interrupted(), reply("error"), idle())
    began = asyncio.Event()
    run = asyncio.create_task(session.run("hangs", on_output=lambda _: began.set()))
    await began.wait()
    await session.close()
    assert (await run).status is CellStatus.INTERRUPTED
    assert kernel.stops >= 1
    assert session.status == "closed"


async def test_7_closing_refuses_the_calls_that_wait(script, session):
    script.on("hangs", busy(), stream("began"), interrupted(), reply("error"), idle())
    began = asyncio.Event()
    first = asyncio.create_task(session.run("hangs", on_output=lambda _: began.set()))
    await began.wait()
    second = asyncio.create_task(session.run("ok"))
    await asyncio.sleep(0)
    await session.close()
    assert (await first).status is CellStatus.INTERRUPTED
    with pytest.raises(SessionClosed, match=r"^The session is closed\. Make a new one\.$"):
        await second


async def test_7_closing_during_a_start_ends_the_start(script, kernel, session):
    script.on_start(waits_for(asyncio.Event().wait))
    run = asyncio.create_task(session.run("ok", timeout=0.2))
    await eventually(lambda: kernel.starts == 1)
    await run
    await session.close()
    assert (session.status, kernel.stops) == ("closed", 1)


# 8. stdin


async def test_8_without_a_handler_the_kernel_is_told_so(kernel, session):
    await session.run("ok")
    assert kernel.received[0].content["allow_stdin"] is False


async def test_8_a_handlers_answer_reaches_the_kernel(script, kernel):
    script.on("asks", busy(), asks("name? "), asks("key? ", password=True), reply(), idle())
    asked = []

    async def answer(prompt, secret):
        asked.append((prompt, secret))
        return "Ada"

    async with AsyncSession(kernel, timeout=20, input_handler=answer) as session:
        assert (await session.run("asks")).ok
    assert asked == [("name? ", False), ("key? ", True)]
    assert [m.content for m in kernel.received if m.msg_type == "input_reply"] == [{"value": "Ada"}] * 2
    assert kernel.received[0].content["allow_stdin"] is True


async def test_8_a_handler_that_raises_ends_the_cell_and_is_raised(script, kernel):
    script.on("asks", busy(), asks("name? "), reply("error"), idle())

    def answer(prompt, secret):  # noqa: ARG001
        raise LookupError("no answer")

    async with AsyncSession(kernel, timeout=20, input_handler=answer) as session:
        with pytest.raises(LookupError, match="no answer"):
            await session.run("asks")
        assert (await session.run("ok")).ok


# A kernel that is somebody else's, or out of reach


async def test_a_waiting_cell_in_somebody_elses_kernel_interrupts_nothing(script):
    kernel = ScriptedKernel(script, is_ours=False)
    script.on("waits", interrupted())
    script.on_request("kernel_info_request", busy(), reply(), idle())
    async with AsyncSession(kernel, timeout=20) as session:
        ran = await session.run("waits", timeout=0.3)
        assert (ran.status, ran.state_kept, kernel.interrupts, kernel.starts) == (CellStatus.TIMEOUT, True, 0, 1)
        assert "did not begin within 0.3 s, because another cell" in ran.cause


async def test_a_cell_that_is_dropped_twice_did_not_run_and_says_why(script, session, kernel):
    script.on("aborted", busy(), reply("aborted"), idle())
    ran = await session.run("aborted")
    assert (ran.status, ran.cause) == (
        CellStatus.NOT_RUN,
        "The cell did not run: the kernel dropped it because a cell before it, such as another client's, failed.",
    )
    assert len([m for m in kernel.received if m.msg_type == "execute_request"]) == 2


async def test_a_kernel_that_is_found_again_keeps_its_generation(script, session):
    async def is_found_again(stage):
        stage.kernel.resumed = True

    script.on_start()
    script.on_start(is_found_again)
    script.on("cut", busy(), hangs_up())
    ran = await session.run("cut")
    assert ran.notes[-1] == (
        "Whether variables and imports are kept is not known: the next result says so if they are lost."
    )
    again = await session.run("ok")
    assert (again.state_kept, again.generation, again.notes) == (True, 1, ())
