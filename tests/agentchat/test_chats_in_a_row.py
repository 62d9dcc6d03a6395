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
