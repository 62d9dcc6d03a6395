"""The one event loop on which blocking calls run."""

import asyncio
import os
import signal
import threading
import time

import pytest

from cellblock.background import BackgroundLoop, background_loop, in_thread
from cellblock.errors import SessionClosed


@pytest.fixture
def loop():
    loop = BackgroundLoop()
    yield loop
    loop.stop()


def in_child(function):
    """What a function gives in a forked child, as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        text = "it raised"
        try:
            text = str(function())
        finally:
            os.write(writing, text.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


def test_a_call_gives_what_the_coroutine_gives(loop):
    assert loop.call(asyncio.sleep(0, "value")) == "value"


def test_a_call_raises_what_the_coroutine_raises(loop):
    async def raises():
        raise LookupError("from the loop")

    with pytest.raises(LookupError, match="from the loop"):
        loop.call(raises())


def test_all_calls_of_a_process_run_in_one_thread():
    async def thread():
        return threading.current_thread()

    assert background_loop() is background_loop()
    found = {background_loop().call(thread()) for _ in range(3)}
    assert len(found) == 1
    assert found.pop().name == "cellblock-loop"


def test_first_calls_from_several_threads_get_one_loop():
    """In a child, where there is none yet."""

    def loops():
        found, ready = [], threading.Barrier(8)

        def get():
            ready.wait()
            found.append(background_loop())

        threads = [threading.Thread(target=get) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(set(map(id, found)))

    assert in_child(loops) == "1"


def test_a_forked_child_has_a_loop_of_its_own():
    ours = background_loop()
    assert (
        in_child(lambda: background_loop() is not ours and background_loop().call(asyncio.sleep(0, "works"))) == "works"
    )
    assert background_loop() is ours
    assert ours.call(asyncio.sleep(0, "still")) == "still"


def test_in_a_forked_child_the_parents_loop_refuses_and_cleans_up_nothing(loop):
    """Its thread is not there: waiting for it would be waiting for ever."""

    def child():
        loop.clean_up(lambda: asyncio.sleep(0))
        try:
            return loop.call(asyncio.sleep(0))
        except SessionClosed as error:
            return error

    assert "belongs to the process that this one was forked from" in in_child(child)


def test_clean_up_waits_except_in_the_loops_own_thread(loop):
    ended = threading.Event()

    async def clean_up():
        await asyncio.sleep(0.05)
        ended.set()

    loop.clean_up(clean_up)
    assert ended.is_set()
    ended.clear()

    async def in_the_loop():
        loop.clean_up(clean_up)
        return ended.is_set()

    assert loop.call(in_the_loop()) is False
    assert ended.wait(5)


def test_waiting_for_oneself_is_refused(loop):
    async def waits():
        loop.call(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="blocking call was made from cellblock's own event loop"):
        loop.call(waits())


def interrupt_soon(within):
    """Ctrl-C, which a system hands to the main thread."""
    timer = threading.Timer(within, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
    timer.start()
    return timer


def test_ctrl_c_cancels_the_call_waits_for_its_end_and_is_raised(loop):
    ended = []

    async def cleans_up():
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0.1)
            ended.append(time.monotonic())

    timer = interrupt_soon(0.1)
    with pytest.raises(KeyboardInterrupt):
        loop.call(cleans_up())
    assert len(ended) == 1
    timer.join()
    assert loop.call(asyncio.sleep(0, "works")) == "works"


@pytest.mark.anyio
async def test_a_call_from_another_loop_does_not_block_it(loop):
    ticks = []

    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    assert await loop.call_from_loop(asyncio.sleep(0.2, "value")) == "value"
    ticking.cancel()
    assert len(ticks) > 5


@pytest.mark.anyio
async def test_cancelling_a_call_from_another_loop_waits_for_its_clean_up(loop):
    ended, began = threading.Event(), threading.Event()

    async def cleans_up():
        began.set()
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0.1)
            ended.set()

    call = asyncio.create_task(loop.call_from_loop(cleans_up()))
    await asyncio.to_thread(began.wait)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set()


@pytest.mark.anyio
async def test_a_call_cancelled_before_it_began_ends_too(loop):
    held = threading.Event()

    async def hold():
        held.wait(10)

    first = loop.submit(hold())  # the loop's thread stands still
    call = asyncio.create_task(loop.call_from_loop(asyncio.sleep(100)))
    await asyncio.sleep(0.05)
    call.cancel()
    held.set()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await call
    first.result()


def test_clean_up_can_be_handed_over_from_the_loop_itself(loop):
    done = threading.Event()

    async def clean_up():
        done.set()

    async def hands_over():
        loop.submit_from_anywhere(clean_up())

    loop.call(hands_over())
    assert done.wait(5)


@pytest.mark.anyio
async def test_what_a_thread_did_for_nobody_is_taken_back():
    begun, go_on, undone = threading.Event(), threading.Event(), []

    def call():
        begun.set()
        go_on.wait(10)
        return "made"

    waiting = asyncio.ensure_future(in_thread(call, undone.append))
    await asyncio.to_thread(begun.wait, 10)
    waiting.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert undone == ["made"]


@pytest.mark.anyio
async def test_what_a_thread_gives_is_given_on():
    undone = []
    assert await in_thread(lambda: "made", undone.append) == "made"
    assert undone == []
