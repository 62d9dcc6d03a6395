"""Subclasses whose own methods take part in every chat."""

import pytest

from cellblock.agentchat import ConversableAgent
from talkers import contents, speaker

pytestmark = pytest.mark.anyio


class Logging(ConversableAgent):
    """Writes down what it is called with."""

    def __init__(self, name, **options):
        super().__init__(name, **options)
        self.log = []

    def send(self, message, recipient, request_reply=None, silent=False):
        self.log.append(("send", message))
        super().send(message, recipient, request_reply, silent)

    def receive(self, message, sender, request_reply=None, silent=False):
        self.log.append(("receive", message))
        super().receive(message, sender, request_reply, silent)

    async def a_send(self, message, recipient, request_reply=None, silent=False):
        self.log.append(("a_send", message))
        await super().a_send(message, recipient, request_reply, silent)

    async def a_receive(self, message, sender, request_reply=None, silent=False):
        self.log.append(("a_receive", message))
        await super().a_receive(message, sender, request_reply, silent)


def test_own_send_and_receive_are_called_for_every_message():
    ann, bob = speaker("ann", "two", kind=Logging), speaker("bob", "one", kind=Logging)
    result = ann.initiate_chat(bob, message="hi", silent=True)
    assert contents(result) == ["hi", "one", "two"]
    assert ann.log == [("send", "hi"), ("receive", "one"), ("send", "two")]
    assert bob.log == [("receive", "hi"), ("send", "one"), ("receive", "two")]


async def test_own_methods_are_called_in_asynchronous_chats():
    ann, bob = speaker("ann", "two", kind=Logging), speaker("bob", "one")
    result = await ann.a_initiate_chat(bob, message="hi", silent=True)
    assert contents(result) == ["hi", "one", "two"]
    assert ann.log == [("a_send", "hi"), ("a_receive", "one"), ("a_send", "two")]


def test_own_send_is_called_in_chats_of_so_many_turns_and_resumed_ones():
    ann = speaker("ann", "two", kind=Logging)
    bob = speaker("bob", OSError("no network"), "one", "three", kind=Logging)
    try:
        ann.initiate_chat(bob, message="hi", max_turns=2, silent=True)
    except OSError:
        result = ann.resume_chat(bob, silent=True)
    assert contents(result) == ["hi", "one", "two", "three"]
    assert ann.log == [("send", "hi"), ("receive", "one"), ("send", "two"), ("receive", "three")]
    assert bob.log == [("receive", "hi"), ("send", "one"), ("receive", "two"), ("send", "three")]


def test_send_of_one_agent_alone_is_called():
    ann, bob, sent = speaker("ann", "two"), speaker("bob", "one"), []
    bob.send = lambda message, *_, **__: sent.append(message)
    assert contents(ann.initiate_chat(bob, message="hi", silent=True)) == ["hi"]
    assert sent == ["one"]


def test_agent_that_swallows_what_it_should_send():
    class Mute(ConversableAgent):
        def send(self, message, recipient, request_reply=None, silent=False):
            pass

    result = speaker("ann", "x", "y", kind=Mute).initiate_chat(speaker("bob"), message="hi", max_turns=3, silent=True)
    assert result.chat_history == []


class Counting(ConversableAgent):
    """Replies with how many messages it is given."""

    def generate_reply(self, messages=None, sender=None, **_):
        return f"{len(messages)} from {sender.name}"

    async def a_generate_reply(self, messages=None, sender=None, **_):
        return f"{len(messages)} later from {sender.name}"


async def test_own_generate_reply_is_given_the_messages():
    ann, bob = speaker("ann"), speaker("bob", kind=Counting)
    assert contents(ann.initiate_chat(bob, message="hi", silent=True)) == ["hi", "1 from ann"]
    assert contents(await ann.a_initiate_chat(bob, message="hi", silent=True)) == ["hi", "1 later from ann"]
