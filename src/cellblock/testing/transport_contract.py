"""What a session relies on in a transport, as tests that every transport must pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import pytest

from cellblock._core.messages import Requests
from cellblock.errors import Disconnected
from cellblock.transports import Transport

if TYPE_CHECKING:
    from cellblock._core.messages import Message

__all__ = ["Connect", "TransportContract"]

Connect = Callable[[], AbstractAsyncContextManager[Transport]]
"""Connects to a kernel of ipykernel that runs nothing else; leaving closes the transport and ends the kernel."""

Scenario = Callable[[Transport], Awaitable[None]]
Play = Callable[[Scenario], None]

_WITHIN = 30  # seconds any test may take


class TransportContract:
    """The contract of a transport. Override the fixture ``connect``."""

    @pytest.fixture(scope="class")
    @classmethod
    def connect(cls) -> Connect:
        """Gives what connects to a fresh kernel."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def play(cls, connect: Connect) -> Iterator[Play]:
        """Plays a scenario on a connection that the tests of a class share."""
        connection = connect()
        with asyncio.Runner() as runner:
            transport = runner.run(connection.__aenter__())

            async def within_time(scenario: Scenario) -> None:
                async with asyncio.timeout(_WITHIN):
                    await scenario(transport)

            try:
                yield lambda scenario: runner.run(within_time(scenario))
            finally:
                runner.run(connection.__aexit__(None, None, None))

    def test_a_request_is_answered_on_each_channel(self, play: Play) -> None:
        """Messages say on which channel they came, and to which request they belong."""

        async def scenario(transport: Transport) -> None:
            request = Requests().make("kernel_info_request", {})
            await transport.send(request)
            messages = await until(transport, answered(request))
            mine = [(m.channel, m.msg_type) for m in messages if m.parent_id == request.msg_id]
            assert ("shell", "kernel_info_reply") in mine
            assert mine.count(("iopub", "status")) == 2

        play(scenario)

    def test_text_arrives_as_it_was(self, play: Play) -> None:
        """Whatever the characters, in both directions."""
        text = "é\u2028\0\x1b[0m\U0001f600\r\n\\ \"'"

        async def scenario(transport: Transport) -> None:
            said = await run_cell(transport, f"print({text!r}, end=''); {text!r}")
            assert "".join(m.content["text"] for m in said if m.msg_type == "stream") == text
            (value,) = [m for m in said if m.msg_type == "execute_result"]
            assert value.content["data"]["text/plain"] == repr(text)

        play(scenario)

    def test_a_large_message_arrives_whole(self, play: Play) -> None:
        """Ten million characters in one message."""

        async def scenario(transport: Transport) -> None:
            said = await run_cell(transport, "display({'text/plain': 'x' * 10_000_000}, raw=True)")
            (shown,) = [m for m in said if m.msg_type == "display_data"]
            assert shown.content["data"]["text/plain"] == "x" * 10_000_000

        play(scenario)

    def test_many_messages_keep_their_order(self, play: Play) -> None:
        """A thousand displays, one after another."""

        async def scenario(transport: Transport) -> None:
            said = await run_cell(transport, "for i in range(1000): display({'text/plain': str(i)}, raw=True)")
            shown = [m.content["data"]["text/plain"] for m in said if m.msg_type == "display_data"]
            assert shown == [str(i) for i in range(1000)]

        play(scenario)

    def test_binary_buffers_arrive(self, play: Play) -> None:
        """As widgets send them."""
        code = (
            "kernel = get_ipython().kernel\n"
            "kernel.session.send(kernel.iopub_socket, 'comm_msg', {'comm_id': 'c', 'data': {}},\n"
            "                    parent=kernel.get_parent(), buffers=[b'\\0\\xff', b''])"
        )

        async def scenario(transport: Transport) -> None:
            (sent,) = [m for m in await run_cell(transport, code) if m.msg_type == "comm_msg"]
            assert tuple(map(bytes, sent.buffers)) == (b"\0\xff", b"")

        play(scenario)

    def test_the_kernels_questions_can_beanswered(self, play: Play) -> None:
        """``input()`` goes over the stdin channel, both ways."""

        async def scenario(transport: Transport) -> None:
            requests = Requests()
            request = requests.execute("print(input('name? '))", allow_stdin=True)
            await transport.send(request)
            (*_, question) = await until(transport, lambda m: m.msg_type == "input_request")
            assert (question.channel, question.content["prompt"]) == ("stdin", "name? ")
            await transport.send(requests.reply_to(question, "input_reply", {"value": "Ada"}))
            said = await until(transport, answered(request))
            assert [m.content["text"] for m in said if m.msg_type == "stream"] == ["Ada\n"]

        play(scenario)

    def test_the_control_channel_does_not_wait_for_a_cell(self, play: Play) -> None:
        """A request there is answered while a cell runs."""

        async def scenario(transport: Transport) -> None:
            cell = Requests().execute("import time; print('began', flush=True); time.sleep(0.3); print('ended')")
            await transport.send(cell)
            await until(transport, lambda m: m.content.get("text") == "began\n")
            request = Requests().make("kernel_info_request", {}, channel="control")
            await transport.send(request)
            said = await until(transport, lambda m: m.channel == "control" and m.parent_id == request.msg_id)
            assert not [m for m in said if m.content.get("text") == "ended\n"]
            await until(transport, answered(cell))

        play(scenario)

    def test_a_flood_lets_the_event_looprun_cell(self, play: Play) -> None:
        """However much arrives, timers of the caller's fire about when they should."""

        async def scenario(transport: Transport) -> None:
            request = Requests().execute("for _ in range(1000): print('x' * 20_000)")
            await transport.send(request)
            reading = asyncio.create_task(until(transport, answered(request)))
            clock, delays = asyncio.get_running_loop().time, []
            while not reading.done():
                began = clock()
                await asyncio.sleep(0.01)
                delays.append(clock() - began)
            await reading
            assert sorted(delays)[len(delays) // 2] < 0.2

        play(scenario)

    def test_a_cancelled_receive_takes_nothing(self, play: Play) -> None:
        """A wait that is given up loses no message."""

        async def scenario(transport: Transport) -> None:
            request = Requests().execute("for i in range(200): display({'text/plain': str(i)}, raw=True)")
            await transport.send(request)
            said: list[Message] = []
            over = answered(request)
            while True:
                try:
                    async with asyncio.timeout(0.001):
                        message = await transport.receive()
                except TimeoutError:
                    continue
                said.append(message)
                if over(message):
                    break
            shown = [m.content["data"]["text/plain"] for m in said if m.msg_type == "display_data"]
            assert shown == [str(i) for i in range(200)]

        play(scenario)

    def test_closing_ends_a_waiting_receive_and_all_that_follows(self, connect: Connect) -> None:
        """Twice does no harm."""

        async def scenario() -> None:
            async with asyncio.timeout(_WITHIN), connect() as transport:
                request = Requests().make("kernel_info_request", {})
                await transport.send(request)
                await until(transport, answered(request))
                waiting = asyncio.create_task(until(transport, lambda _: False))
                await asyncio.sleep(0.05)
                await transport.close()
                await transport.close()
                with pytest.raises(Disconnected):
                    await waiting
                with pytest.raises(Disconnected):
                    await transport.send(request)
                with pytest.raises(Disconnected):
                    await transport.receive()

        asyncio.run(scenario())


async def run_cell(transport: Transport, code: str) -> list[Message]:
    """What a cell said, until it was over."""
    request = Requests().execute(code)
    await transport.send(request)
    return [m for m in await until(transport, answered(request)) if m.parent_id == request.msg_id]


async def until(transport: Transport, last: Callable[[Message], bool]) -> list[Message]:
    """All messages up to the first of which something is true."""
    messages = []
    while True:
        messages.append(await transport.receive())
        if last(messages[-1]):
            return messages


def answered(request: Message) -> Callable[[Message], bool]:
    """Tells, of one message after another, whether with it the request's reply and its idle have both come."""
    missing = {"reply", "idle"}

    def last(message: Message) -> bool:
        if message.parent_id == request.msg_id:
            if message.content.get("execution_state") == "idle":
                missing.discard("idle")
            elif message.msg_type.endswith("_reply"):
                missing.discard("reply")
        return not missing

    return last
