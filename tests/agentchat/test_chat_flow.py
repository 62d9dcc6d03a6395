"""Chats of two agents without a model: what is said, printed and recorded."""

import pytest

from cellblock.agentchat import Agent, AssistantAgent, ConversableAgent, InvalidCarryOverType
from cellblock.coding import MarkdownCodeExtractor
from cellblock.errors import ConfigError


def speaker(name, *lines, **options):
    """An agent that says these lines, one at a time, and then nothing."""
    agent = ConversableAgent(name, llm_config=False, human_input_mode="NEVER", **options)
    script = iter(lines)
    agent.register_reply([Agent, None], lambda *_, **__: (True, next(script, None)))
    return agent


def silent_agent(name="b", **options):
    return ConversableAgent(name, llm_config=False, human_input_mode="NEVER", **options)


def turn(sender, recipient, text):
    return f"{sender} (to {recipient}):\n\n{text}\n\n{'-' * 80}\n"


def said(result):
    return [(message["name"], message["content"]) for message in result.chat_history]


def test_printed_form(capsys):
    speaker("ann").initiate_chat(speaker("bob", "fine"), message="how are you?")
    assert capsys.readouterr().out == turn("ann", "bob", "how are you?") + turn("bob", "ann", "fine")


@pytest.mark.parametrize(
    ("variables", "coloured"), [({"FORCE_COLOR": "1"}, True), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False)]
)
def test_colours(capsys, monkeypatch, variables, coloured):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    speaker("ann").initiate_chat(speaker("bob"), message="hi")
    name = "\x1b[33mann\x1b[0m" if coloured else "ann"
    assert capsys.readouterr().out.startswith(f"{name} (to bob):\n")


def test_result_is_autogens():
    result = speaker("ann").initiate_chat(speaker("bob", "fine"), message="hi")
    assert repr(result) == (
        "ChatResult(chat_id=None, chat_history=[{'content': 'hi', 'role': 'assistant', 'name': 'ann'}, "
        "{'content': 'fine', 'role': 'user', 'name': 'bob'}], summary='fine', "
        "cost={'usage_including_cached_inference': {'total_cost': 0}, "
        "'usage_excluding_cached_inference': {'total_cost': 0}}, human_input=[])"
    )


@pytest.mark.parametrize(("replies", "silent"), [([], "bob"), (["fine"], "ann")])
def test_chat_ends_when_somebody_has_nothing_to_say(replies, silent):
    result = speaker("ann").initiate_chat(speaker("bob", *replies), message="hi", silent=True)
    assert result.stop_reason == f"{silent} had nothing more to say."


def test_each_side_has_its_own_record():
    ann, bob = speaker("ann"), speaker("bob", "fine")
    ann.initiate_chat(bob, message="hi", silent=True)
    assert bob.chat_messages[ann] == [
        {"content": "hi", "role": "user", "name": "ann"},
        {"content": "fine", "role": "assistant", "name": "bob"},
    ]
    assert ann.last_message(bob) == ann.last_message() == {"content": "fine", "role": "user", "name": "bob"}


def test_silence(capsys):
    speaker("ann").initiate_chat(speaker("bob", "fine"), message="hi", silent=True)
    speaker("ann", silent=True).initiate_chat(speaker("bob", "fine", silent=True), message="hi")
    assert capsys.readouterr().out == ""
    speaker("ann", silent=False).initiate_chat(speaker("bob", "fine"), message="hi", silent=True)
    assert capsys.readouterr().out == turn("ann", "bob", "hi")
    speaker("ann", silent=True).initiate_chat(speaker("bob", "fine"), message="hi")
    assert capsys.readouterr().out == turn("bob", "ann", "fine")


def test_hook_is_told_whether_its_agent_is_silent():
    heard = []
    ann = speaker("ann", silent=True)
    ann.register_hook("process_message_before_send", lambda message, silent, **_: heard.append(silent) or message)
    ann.send("hi", speaker("bob"))
    assert heard == [True]


def test_agent_with_nothing_to_say_sends_its_default():
    result = silent_agent("ann").initiate_chat(silent_agent("bob", default_auto_reply="hm"), message="hi", max_turns=1)
    assert said(result) == [("ann", "hi"), ("bob", "hm")]


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_max_turns_counts_what_the_initiator_says(turns):
    result = silent_agent("ann").initiate_chat(silent_agent("bob"), message="hi", max_turns=turns, silent=True)
    assert [name for name, _ in said(result)] == ["ann", "bob"] * turns
    assert result.stop_reason == f"The chat had its {turns} turn{'s' if turns != 1 else ''}."


def test_chat_of_so_many_turns_ends_when_the_recipient_is_silent():
    bob = silent_agent("bob", max_consecutive_auto_reply=1)
    result = silent_agent("ann").initiate_chat(bob, message="hi", max_turns=4, silent=True)
    assert [name for name, _ in said(result)] == ["ann", "bob", "ann"]
    assert result.stop_reason == "bob has replied 1 time in a row, which is its limit."


def test_limit_of_replies_in_a_row():
    bob = silent_agent("bob", max_consecutive_auto_reply=2)
    result = silent_agent("ann").initiate_chat(bob, message="hi", silent=True)
    assert [name for name, _ in said(result)] == ["ann", "bob", "ann", "bob", "ann"]
    assert result.stop_reason == "bob has replied 2 times in a row, which is its limit."
    bob.update_max_consecutive_auto_reply(1)
    assert bob.max_consecutive_auto_reply() == 1
    assert len(silent_agent("ann").initiate_chat(bob, message="hi", silent=True).chat_history) == 3


def test_chat_may_be_longer_than_the_recursion_limit():
    agents = [silent_agent(name, max_consecutive_auto_reply=600) for name in ("ann", "bob")]
    result = agents[0].initiate_chat(agents[1], message="hi", silent=True)
    assert len(result.chat_history) == 1201


@pytest.mark.parametrize(("text", "ends"), [("TERMINATE", True), ("done TERMINATE", False), ("terminate", False)])
def test_termination_message(text, ends):
    result = speaker("ann", "more").initiate_chat(silent_agent("bob"), message=text, silent=True)
    assert (len(result.chat_history) == 1) is ends
    if ends:
        assert result.stop_reason == "ann sent a message that ends the chat."


def test_own_termination_test():
    bob = silent_agent("bob", is_termination_msg=lambda message: "bye" in message["content"])
    assert len(speaker("ann", "x").initiate_chat(bob, message="good bye", silent=True).chat_history) == 1


def test_history_is_cleared_unless_it_is_to_stay():
    ann, bob = speaker("ann"), speaker("bob", "one", "two", "three")
    first = ann.initiate_chat(bob, message="hi", silent=True)
    assert len(ann.initiate_chat(bob, message="hi", silent=True).chat_history) == 2
    assert len(ann.initiate_chat(bob, message="hi", silent=True, clear_history=False).chat_history) == 4
    assert said(first) == [("ann", "hi"), ("bob", "one")]


def test_clear_history():
    ann, bob = speaker("ann"), speaker("bob", "one")
    ann.initiate_chat(bob, message="hi", silent=True)
    ann.clear_history(bob, nr_messages_to_preserve=1)
    assert [message["content"] for message in ann.chat_messages[bob]] == ["one"]
    ann.clear_history()
    assert ann.last_message() is None


@pytest.mark.parametrize(
    ("carryover", "expected"),
    [
        ("past", "hi\nContext: \npast"),
        (["one", "two"], "hi\nContext: \none\ntwo"),
        (["one", 2, {"content": "three"}, {"four": 4}], "hi\nContext: \none\n2\nthree\n{'four': 4}"),
        ("", "hi"),
        ([], "hi"),
        (None, "hi"),
    ],
)
def test_carryover(carryover, expected):
    result = silent_agent("ann").initiate_chat(speaker("bob"), message="hi", carryover=carryover, silent=True)
    assert result.chat_history[0]["content"] == expected


def test_carryover_on_parts_is_a_part():
    message = {"content": [{"type": "text", "text": "look"}]}
    result = silent_agent("ann").initiate_chat(speaker("bob"), message=message, carryover="past", silent=True)
    assert result.chat_history[0]["content"] == [
        {"type": "text", "text": "\nContext: \npast"},
        {"type": "text", "text": "look"},
    ]


@pytest.mark.parametrize("carryover", [3, {"a": 1}, ("a",)])
def test_carryover_of_another_kind(carryover):
    message = r"^Carryover should be a string or a list of strings. Not adding carryover to the message.$"
    with pytest.raises(InvalidCarryOverType, match=message):
        silent_agent("ann").initiate_chat(silent_agent(), message="hi", carryover=carryover)


def test_message_made_by_a_function():
    ann, bob = silent_agent("ann"), speaker("bob")

    def make(sender, recipient, context):
        return {"content": f"{sender.name} to {recipient.name} of {context['topic']}, {context['carryover']}"}

    result = ann.initiate_chat(bob, message=make, topic="rain", carryover="x", silent=True)
    assert said(result) == [("ann", "ann to bob of rain, x")]


@pytest.mark.parametrize("message", [{"text": "hi"}, {"content": None}, {}])
def test_message_without_content(message):
    ann, bob = silent_agent("ann"), silent_agent("bob")
    complaint = (
        r"^Message can't be converted into a valid ChatCompletion message\. "
        r"Either content or function_call must be provided\.$"
    )
    with pytest.raises(ValueError, match=complaint):
        ann.initiate_chat(bob, message=message)
    with pytest.raises(ValueError, match=complaint):
        bob.receive(message, ann)
    assert ann.chat_messages[bob] == bob.chat_messages[ann] == []


def test_send_and_receive_without_a_chat():
    ann, bob = silent_agent("ann"), silent_agent("bob", default_auto_reply="yes?")
    ann.send("psst", bob, silent=True)
    assert len(bob.chat_messages[ann]) == 1
    ann.send("hello", bob, request_reply=True, silent=True)
    assert [message["content"] for message in ann.chat_messages[bob]] == ["psst", "hello", "yes?"]
    bob.receive({"content": "hello", "name": "somebody"}, ann, request_reply=False, silent=True)
    assert bob.last_message(ann) == {"content": "hello", "name": "somebody", "role": "user"}


def test_stop_reply_at_receive():
    ann, bob = silent_agent("ann"), silent_agent("bob")
    ann.initiate_chat(bob, message="hi", silent=True)
    assert (ann.reply_at_receive[bob], bob.reply_at_receive[ann]) == (True, True)
    bob.stop_reply_at_receive(ann)
    assert bob.reply_at_receive[ann] is False


def test_agents_of_other_kinds_take_messages_in_their_way():
    class Stranger:
        name, description, heard = "stranger", "", []

        def receive(self, message, sender, request_reply=None, silent=False):
            self.heard.append((message, sender.name, request_reply, silent))

        def send(self, *_):
            raise NotImplementedError

        a_send = a_receive = generate_reply = a_generate_reply = send

    stranger = Stranger()
    assert isinstance(stranger, Agent)
    silent_agent("ann").send("hi", stranger, request_reply=True)
    assert stranger.heard == [("hi", "ann", True, False)]


def test_reply_functions_by_trigger():
    ann, bob = silent_agent("ann"), silent_agent("bob")
    triggers = ["ann", ann, ConversableAgent, lambda sender: sender.name.startswith("a"), ["zoe", ann]]
    for number, trigger in enumerate(triggers):
        bob.register_reply(trigger, lambda *_, n=number, **__: (True, str(n)))
        assert bob.generate_reply([{"content": "hi", "role": "user"}], ann) == str(number)
    for trigger in ("zoe", bob, lambda sender: False, ["zoe", bob], None):  # noqa: ARG005
        bob.register_reply(trigger, lambda *_, **__: (True, "wrong"))
        assert bob.generate_reply([{"content": "hi", "role": "user"}], ann) == "4"
    with pytest.raises(ValueError, match=r"^trigger must be a class, a string, an agent, a callable or a list.$"):
        bob.register_reply(1, lambda *_, **__: (True, ""))


def test_reply_functions_are_asked_in_order():
    bob, calls = silent_agent("bob"), []

    def first(recipient, messages, sender, config):
        calls.append((recipient.name, messages, sender, config))
        return False, "ignored"

    bob.register_reply(None, lambda *_, **__: (True, "second"))
    bob.register_reply(None, first, config={"a": 1})
    messages = [{"content": "hi", "role": "user"}]
    assert bob.generate_reply(messages) == "second"
    assert calls == [("bob", messages, None, {"a": 1})]
    assert bob.generate_reply(messages, exclude=[first]) == "second"
    bob.replace_reply_func(first, lambda *_, **__: (True, "instead"))
    assert bob.generate_reply(messages) == "instead"
    bob.register_reply(None, lambda *_, **__: (True, "alone"), remove_other_reply_funcs=True)
    assert bob.generate_reply(messages) == "alone"


def test_reply_needs_messages_or_a_sender():
    with pytest.raises(AssertionError, match=r"^Either messages or sender must be given to reply to.$"):
        silent_agent().generate_reply()


def test_async_reply_function_in_a_blocking_chat():
    async def later(recipient, messages, sender, config):  # noqa: ARG001
        return True, "later"

    bob = silent_agent("bob")
    bob.register_reply(Agent, later)
    complaint = (
        r"^Async reply functions can only be used with ConversableAgent.a_initiate_chat\(\). The following async reply "
        r"functions are found: later$"
    )
    with pytest.raises(RuntimeError, match=complaint):
        silent_agent("ann").initiate_chat(bob, message="hi")
    carol = silent_agent("carol", default_auto_reply="now")
    carol.register_reply(Agent, later, ignore_async_in_sync_chat=True)
    assert said(silent_agent("ann").initiate_chat(carol, message="hi", max_turns=1)) == [
        ("ann", "hi"),
        ("carol", "now"),
    ]


def test_hooks():
    ann, bob = silent_agent("ann"), silent_agent("bob")
    ann.register_hook("process_message_before_send", lambda **given: f"{given['message']}!")
    bob.register_hook("process_last_received_message", lambda content: content.upper())
    bob.register_hook("process_all_messages_before_reply", lambda messages: messages[-1:] * 2)
    bob.register_reply(Agent, lambda *_, messages, **__: (True, " ".join(message["content"] for message in messages)))
    result = ann.initiate_chat(bob, message="hi", max_turns=1, silent=True)
    assert said(result) == [("ann", "hi!"), ("bob", "HI! HI!")]
    with pytest.raises(
        ConfigError, match=r"^There is no place 'nowhere' for a hook. The places are: process_message_before_send, "
    ):
        ann.register_hook("nowhere", print)


def test_last_message_of_nobody():
    ann, bob, carol = silent_agent("ann"), silent_agent("bob"), silent_agent("carol")
    assert ann.last_message() is None
    ann.send("hi", bob, silent=True)
    with pytest.raises(KeyError, match="The agent 'carol' is not present in any conversation"):
        ann.last_message(carol)
    ann.send("hi", carol, silent=True)
    with pytest.raises(ValueError, match=r"^More than one conversation is found"):
        ann.last_message()


def test_name_and_description():
    agent = ConversableAgent("any name: even this", system_message="You help.", llm_config=False)
    assert (agent.name, agent.description) == ("any name: even this", "You help.")
    agent.update_system_message("You do not.")
    assert (agent.system_message, agent.description) == ("You do not.", "You help.")
    assert ConversableAgent("a", llm_config=False, description="a helper").description == "a helper"


def test_earlier_chats_can_be_given():
    ann = silent_agent("ann")
    bob = silent_agent("bob", chat_messages={ann: [{"content": "before", "role": "user"}]})
    result = ann.initiate_chat(bob, message="now", clear_history=False, max_turns=1, silent=True)
    assert [message["content"] for message in bob.chat_messages[ann]] == ["before", "now", ""]
    assert len(result.chat_history) == 2


def test_reset_forgets_everything():
    restarts = []

    class Executor:
        code_extractor = MarkdownCodeExtractor()

        def execute_code_blocks(self, code_blocks):
            raise NotImplementedError

        def restart(self):
            restarts.append(1)

    ann = silent_agent("ann", code_execution_config={"executor": Executor()})
    ann.send("hi", silent_agent(), silent=True)
    ann.reset()
    assert (dict(ann.chat_messages), restarts) == ({}, [1])


def test_reset_gives_reply_functions_their_config_back():
    def count(recipient, messages, sender, config):  # noqa: ARG001
        config["calls"] += 1
        return True, str(config["calls"])

    given, ann = {"calls": 0}, silent_agent("ann")
    ann.register_reply([Agent, None], count, config=given)
    hello = [{"content": "hi", "role": "user"}]
    assert [ann.generate_reply(hello), ann.generate_reply(hello)] == ["1", "2"]
    ann.reset()
    assert ann.generate_reply(hello) == "1"
    assert given == {"calls": 0}


def test_function_calls_are_refused():
    with pytest.raises(
        ValueError, match=r"^Function calls are not supported; give functions to the code executor instead.$"
    ):
        silent_agent(function_map={"f": print})
    with pytest.raises(ValueError, match=r"^Function calls are not supported"):
        AssistantAgent("a", llm_config=False, function_map={"f": print})
    AssistantAgent("a", llm_config=False, function_map=None)


def test_resume_needs_a_chat():
    with pytest.raises(ValueError, match=r"^There is no chat of ann with bob to resume. Begin one.$"):
        silent_agent("ann").resume_chat(silent_agent("bob"))


@pytest.mark.parametrize("fails", ["ann", "bob"])
def test_chat_that_an_error_broke_off_can_be_resumed(fails):
    broken = [True]

    def reply(recipient, messages, sender, config):  # noqa: ARG001
        if recipient.name == fails and len(messages) > 1 and broken.pop() if broken else False:
            raise OSError("no network")
        return True, str(len(messages)) if len(messages) < 6 else None

    ann, bob = silent_agent("ann"), silent_agent("bob")
    for agent in (ann, bob):
        agent.register_reply(Agent, reply)
    with pytest.raises(OSError, match="no network"):
        ann.initiate_chat(bob, message="0", silent=True)
    before = len(ann.chat_messages[bob])
    result = ann.resume_chat(bob, silent=True)
    assert 1 < before < 6
    assert [message["content"] for message in result.chat_history] == ["0", "1", "2", "3", "4", "5"]
    assert [name for name, _ in said(result)] == ["ann", "bob"] * 3
