"""Chats that do not block the event loop."""

import asyncio
import threading

import anyio
import pytest

from cellblock.agentchat import Agent, ConversableAgent, IOConsole, IOStream
from cellblock.coding import CodeResult, MarkdownCodeExtractor

pytestmark = pytest.mark.anyio

CODE = "```python\n1\n```"


def agent(name, **options):
    return ConversableAgent(name, human_input_mode="NEVER", **options)


class Blocking:
    """An executor that can only block; it says in which thread it was called."""

    code_extractor = MarkdownCodeExtractor()
    thread = None

    def execute_code_blocks(self, code_blocks):  # noqa: ARG002
        self.thread = threading.current_thread()
        return CodeResult(exit_code=0, output="done")

    def restart(self):
        raise NotImplementedError


class Awaitable(Blocking):
    async def a_execute_code_blocks(self, code_blocks):
        await asyncio.sleep(0)
        return self.execute_code_blocks(code_blocks)


async def test_printed_form_and_result_are_those_of_a_blocking_chat(capsys):
    async def awaited():
        return await ann.a_initiate_chat(bob, message="hi", max_turns=2)

    ann, bob = agent("ann"), agent("bob", default_auto_reply="yes")
    blocking = ann.initiate_chat(bob, message="hi", max_turns=2)
    printed = capsys.readouterr().out
    assert await awaited() == blocking
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("kind", [Blocking, Awaitable])
async def test_executor_does_not_block_the_loop(kind):
    executor = kind()
    runner = agent("runner", code_execution_config={"executor": executor})
    reply = await runner.a_generate_reply([{"content": CODE, "role": "user"}])
    assert reply == "exitcode: 0 (execution succeeded)\nCode output: done"
    assert (executor.thread is threading.current_thread()) is (kind is Awaitable)


async def test_blocking_chat_runs_code_in_the_callers_thread():
    executor = Blocking()
    agent("runner", code_execution_config={"executor": executor}).generate_reply([{"content": CODE, "role": "user"}])
    assert executor.thread is threading.current_thread()


async def test_model_functions_of_both_kinds():
    async def awaited(messages):
        await asyncio.sleep(0)
        return f"awaited {len(messages)}"

    threads = []

    def blocking(messages):
        threads.append(threading.current_thread())
        return f"blocking {len(messages)}"

    message = [{"content": "hi", "role": "user"}]
    assert await agent("a", model=awaited).a_generate_reply(message) == "awaited 2"
    assert await agent("a", model=blocking).a_generate_reply(message) == "blocking 2"
    assert agent("a", model=awaited).generate_reply(message) == "awaited 2"
    assert agent("a", model=blocking).generate_reply(message) == "blocking 2"
    assert [thread is threading.current_thread() for thread in threads] == [False, True]


async def test_reply_functions_of_both_kinds():
    async def later(recipient, messages, sender, config):  # noqa: ARG001
        await asyncio.sleep(0)
        return True, "later"

    ann, bob = agent("ann"), agent("bob")
    bob.register_reply(Agent, later)
    ann.register_reply(Agent, lambda *_, **__: (True, None))
    result = await ann.a_initiate_chat(bob, message="hi", silent=True)
    assert [message["content"] for message in result.chat_history] == ["hi", "later"]


async def test_asynchronous_hook_in_a_blocking_chat():
    async def hook(messages):
        return messages

    ann, bob = agent("ann"), agent("bob")
    bob.register_hook("process_all_messages_before_reply", hook)
    await ann.a_initiate_chat(bob, message="hi", max_turns=1, silent=True)
    with pytest.raises(RuntimeError, match=r"is asynchronous. Use it in a chat begun with a_initiate_chat\(\)\.$"):
        ann.initiate_chat(bob, message="hi", max_turns=1, silent=True)


async def test_hooks_of_asynchronous_chats():
    async def exclaim(message, **_):
        return f"{message}!"

    async def later(messages):
        return [*messages, {"content": "more", "role": "user"}]

    async def loud(content):
        return content.upper()

    ann, bob = agent("ann"), agent("bob")
    ann.register_hook("a_process_message_before_send", exclaim)
    ann.register_hook("process_message_before_send", lambda message, **_: f"{message}?")
    bob.register_hook("a_process_all_messages_before_reply", later)
    bob.register_hook("a_process_last_received_message", loud)
    bob.register_reply(Agent, lambda *_, messages, **__: (True, " ".join(message["content"] for message in messages)))
    result = await ann.a_initiate_chat(bob, message="hi", max_turns=1, silent=True)
    assert [message["content"] for message in result.chat_history] == ["hi!", "HI! more"]
    result = ann.initiate_chat(bob, message="hi", max_turns=1, silent=True)
    assert [message["content"] for message in result.chat_history] == ["hi?", "hi?"]


async def test_person_does_not_block_the_loop():
    class Person(IOConsole):
        def input(self, prompt="", *, password=False):  # noqa: ARG002
            return f"from {threading.current_thread() is not main}"

    main = threading.current_thread()
    bob = ConversableAgent("bob", llm_config=False, human_input_mode="ALWAYS")
    with IOStream.set_default(Person()):
        reply = await bob.a_generate_reply([{"content": "hi", "role": "user"}])
    assert reply["content"] == "from True"


async def test_send_receive_and_resume():
    ann, bob = agent("ann"), agent("bob", default_auto_reply="yes?", max_consecutive_auto_reply=1)
    await ann.a_send("psst", bob, request_reply=True, silent=True)
    await bob.a_receive("again", ann, request_reply=False, silent=True)
    assert [message["content"] for message in bob.chat_messages[ann]] == ["psst", "yes?", "again"]
    result = await ann.a_resume_chat(bob, silent=True)
    assert [message["content"] for message in result.chat_history] == ["psst", "yes?", "", "yes?", ""]


async def test_two_chats_at_once():
    async def slow(messages):
        running.append(messages)
        if len(running) == 2:
            both.set()
        await both.wait()
        return "TERMINATE"

    running, both = [], asyncio.Event()
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(
                lambda: agent("a").a_initiate_chat(agent("b", model=slow), message="hi", max_turns=1, silent=True)
            )
    assert len(running) == 2
