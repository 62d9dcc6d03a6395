"""Several chats one after the other."""

import pytest

from cellblock.agentchat import Agent, ConversableAgent, initiate_chats
from cellblock.errors import ConfigError


def silent_agent(name):
    return ConversableAgent(name, llm_config=False, human_input_mode="NEVER")


def test_chats_in_a_row_hear_the_summaries_before(capsys):
    ann, bob, carol = silent_agent("ann"), silent_agent("bob"), silent_agent("carol")
    bob.register_reply([Agent, None], lambda *_, **__: (True, "blue"))
    carol.register_reply([Agent, None], lambda *_, **__: (True, None))
    queue = [
        {"recipient": bob, "message": "colour?", "silent": True, "max_turns": 1},
        {"recipient": carol, "message": "paint it", "carryover": "today", "silent": True},
    ]
    results = ann.initiate_chats(queue)
    assert [message["content"] for message in results[1].chat_history] == ["paint it\nContext: \ntoday\nblue"]
    assert capsys.readouterr().out == ""
    with pytest.raises(ConfigError, match=r'^Each chat needs a "sender" and a "recipient".$'):
        initiate_chats(queue)


def test_summaries_can_be_left_out_of_chats_in_a_row(capsys):
    ann, bob = silent_agent("ann"), silent_agent("bob")
    bob.register_reply([Agent, None], lambda *_, **__: (True, f"{len(heard)}"))
    heard = []
    ann.register_hook("process_message_before_send", lambda message, **_: heard.append(message) or message)
    chat = {"recipient": bob, "message": "hi", "max_turns": 1}
    ann.initiate_chats([chat, chat, chat | {"finished_chat_indexes_to_exclude_from_carryover": [0]}])
    assert heard == ["hi", "hi\nContext: \n1", "hi\nContext: \n2"]
    stars = "*" * 80
    assert capsys.readouterr().out.startswith(f"\n{stars}\nStarting a new chat....\n\n{stars}\nann (to bob):\n")


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [({"recipient": None}, ConfigError), ({"carryover": 3}, ConfigError), ({"summary_method": "none"}, AssertionError)],
)
def test_no_chat_is_begun_if_one_of_them_cannot_be(wrong, kind):
    ann, bob = silent_agent("ann"), silent_agent("bob")
    chat = {"recipient": bob, "message": "hi", "max_turns": 1, "silent": True}
    with pytest.raises(kind):
        ann.initiate_chats([chat, chat | wrong])
    assert ann.chat_messages[bob] == []


def test_summaries_that_are_messages_are_heard_as_their_content():
    ann, bob = silent_agent("ann"), silent_agent("bob")
    chat = {"recipient": bob, "message": "hi", "max_turns": 1, "silent": True}
    results = ann.initiate_chats([chat | {"summary_method": lambda *_: {"role": "user", "content": "gist"}}, chat])
    assert results[1].chat_history[0]["content"] == "hi\nContext: \ngist"
