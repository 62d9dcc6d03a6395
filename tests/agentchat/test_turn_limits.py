"""How often the agent that began a chat may speak: also after the chat, after an error, and with itself."""

import pytest

from cellblock.agentchat import ConversableAgent
from talkers import contents, speaker

pytestmark = pytest.mark.anyio


def counting(name):
    """An agent that numbers what it says, without end."""
    return speaker(name, *(f"{name}{number}" for number in range(100)))


@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_resumed_chat_has_the_turns_that_were_left(fails_at):
    lines = [f"bob{number}" for number in range(50)]
    ann, bob = counting("ann"), speaker("bob", *lines[:fails_at], OSError("no network"), *lines[fails_at:])
    with pytest.raises(OSError, match="no network"):
        ann.initiate_chat(bob, message="hi", max_turns=3, silent=True)
    result = ann.resume_chat(bob, silent=True)
    assert contents(result) == ["hi", "bob0", "ann0", "bob1", "ann1", "bob2"]
    assert result.stop_reason == "The chat had its 3 turns."


def test_turn_is_used_only_when_something_was_said():
    ann, bob = speaker("ann", OSError("no network"), "ann0", "ann1"), counting("bob")
    with pytest.raises(OSError, match="no network"):
        ann.initiate_chat(bob, message="hi", max_turns=2, silent=True)
    assert contents(ann.resume_chat(bob, silent=True)) == ["hi", "bob0", "ann0", "bob1"]


def test_chat_that_had_its_turns_is_not_gone_on_with_unless_more_are_given():
    ann, bob = counting("ann"), counting("bob")
    ann.initiate_chat(bob, message="hi", max_turns=1, silent=True)
    assert contents(ann.resume_chat(bob, silent=True)) == ["hi", "bob0"]
    result = ann.resume_chat(bob, silent=True, max_turns=2)
    assert contents(result) == ["hi", "bob0", "ann0", "bob1", "ann1", "bob2"]
    assert result.stop_reason == "The chat had its 3 turns."


def test_turns_are_counted_by_recipient_and_chat():
    ann, bob, carol = counting("ann"), counting("bob"), speaker("carol", OSError("no network"), "yes")
    with pytest.raises(OSError, match="no network"):
        ann.initiate_chat(carol, message="hi", max_turns=1, silent=True)
    ann.initiate_chat(bob, message="hi", max_turns=4, silent=True)
    assert contents(ann.resume_chat(carol, silent=True)) == ["hi", "yes"]
    assert len(ann.initiate_chat(bob, message="again", max_turns=2, silent=True).chat_history) == 4


async def test_resumed_asynchronous_chat_has_the_turns_that_were_left():
    ann, bob = counting("ann"), speaker("bob", OSError("no network"), "bob0", "bob1", "bob2")
    with pytest.raises(OSError, match="no network"):
        await ann.a_initiate_chat(bob, message="hi", max_turns=2, silent=True)
    assert contents(await ann.a_resume_chat(bob, silent=True)) == ["hi", "bob0", "ann0", "bob1"]


def test_nobody_answers_by_itself_after_a_chat_of_so_many_turns():
    ann, bob = counting("ann"), counting("bob")
    ann.initiate_chat(bob, message="hi", max_turns=1, silent=True)
    ann.send("by the way", bob, silent=True)
    assert [message["content"] for message in bob.chat_messages[ann]] == ["hi", "bob0", "by the way"]


def test_chat_with_oneself_has_its_turns():
    ann = ConversableAgent("ann", llm_config=False, human_input_mode="NEVER", default_auto_reply="hm")
    assert len(ann.initiate_chat(ann, message="hi", max_turns=2, silent=True).chat_history) == 8


@pytest.mark.parametrize("turns", ["2", 2.0])
def test_turns_are_a_whole_number(turns):
    complaint = rf"^max_turns is a whole number, or None for any number of turns, not {turns!r}\.$"
    for begin in (counting("ann").initiate_chat, counting("ann").resume_chat):
        with pytest.raises(ValueError, match=complaint):
            begin(counting("bob"), max_turns=turns)
