"""The person behind an agent: when it is asked, with what words, and what its answers do."""

import pytest

from cellblock.agentchat import Agent, ConversableAgent, IOConsole, IOStream

ENDING = "Please give feedback to ann. Press enter or type 'exit' to stop the conversation: "
LIMIT = "Please give feedback to ann. Press enter to skip and use auto-reply, or type 'exit' to stop the conversation: "
ALWAYS = (
    "Replying as bob. Provide feedback to ann. Press enter to skip and use auto-reply, or type 'exit' to end the "
    "conversation: "
)
NOTHING = "\n>>>>>>>> NO HUMAN INPUT RECEIVED."
AUTO = "\n>>>>>>>> USING AUTO REPLY..."


class Person(IOStream):
    """Types prepared answers and takes down what it is shown."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []

    def print(self, *objects, sep=" ", end="\n", flush=False):  # noqa: ARG002
        self.seen.append(sep.join(map(str, objects)))

    def input(self, prompt="", *, password=False):  # noqa: ARG002
        self.seen.append(prompt)
        return self.answers.pop(0)


def chat(mode, lines, answers, limit=None):
    """The replies of bob, whose person gives the answers, to the lines of ann; what the person saw; the result."""
    ann = ConversableAgent("ann", llm_config=False, human_input_mode="NEVER")
    script = iter(lines[1:])
    ann.register_reply(Agent, lambda *_, **__: (True, next(script, None)))
    bob = ConversableAgent("bob", llm_config=False, human_input_mode=mode, max_consecutive_auto_reply=limit)
    person = Person(*answers)
    with IOStream.set_default(person):
        result = ann.initiate_chat(bob, message=lines[0], silent=True)
    assert person.answers == []
    replies = [message["content"] for message in result.chat_history if message["name"] == "bob"]
    return replies, person.seen, result


def test_never_asks_nobody():
    assert chat("NEVER", ["1", "2", "3", "4"], [], limit=2)[:2] == (["", ""], [])
    assert chat("NEVER", ["TERMINATE"], [])[:2] == ([], [])
    assert chat("NEVER", ["1"], [], limit=0)[:2] == ([], [])


def test_terminate_asks_where_the_chat_would_end():
    replies, seen, result = chat("TERMINATE", ["hi", "TERMINATE"], [""])
    assert (replies, seen) == ([""], [AUTO, ENDING, NOTHING])
    assert result.stop_reason == "ann sent a message that ends the chat."


def test_answer_goes_on_with_the_chat():
    replies, seen, result = chat("TERMINATE", ["TERMINATE", "x", "TERMINATE"], ["go on", "exit"])
    assert (replies, seen) == (["go on", ""], [ENDING, AUTO, ENDING])
    assert result.human_input == ["go on", "exit"]


def test_limit_is_reached():
    replies, seen, result = chat("TERMINATE", ["1", "2", "3", "4"], ["", "", "x"], limit=1)
    assert replies == ["", "", "", "x"]
    assert seen == [AUTO, LIMIT, NOTHING, AUTO, LIMIT, NOTHING, AUTO, LIMIT]
    assert result.human_input == ["", "", "x"]


def test_answer_resets_the_count():
    assert chat("TERMINATE", ["1", "2", "3"], ["x"], limit=1)[1] == [AUTO, LIMIT, AUTO]


def test_limit_of_zero_never_replies_by_itself():
    replies, seen, _ = chat("TERMINATE", ["1", "2", "3"], ["", "x", "exit"], limit=0)
    assert (replies, seen) == (["", "x"], [LIMIT, NOTHING, LIMIT, LIMIT])


def test_always_asks_at_every_turn():
    replies, seen, result = chat("ALWAYS", ["1", "2", "3"], ["x", "", "exit"])
    assert (replies, seen) == (["x", ""], [ALWAYS, ALWAYS, NOTHING, AUTO, ALWAYS])
    assert result.human_input == ["x", "", "exit"]
    assert result.stop_reason == "The person behind bob ended the chat."


def test_always_with_no_answer_to_the_last_message():
    assert chat("ALWAYS", ["1", "TERMINATE"], ["", ""])[1] == [ALWAYS, NOTHING, AUTO, ALWAYS, NOTHING]


def test_opening_message_is_asked_for():
    ann = ConversableAgent("ann", llm_config=False)
    person = Person("hello")
    with IOStream.set_default(person):
        result = ann.initiate_chat(ConversableAgent("bob", llm_config=False), max_turns=0 + 1, silent=True)
    assert result.chat_history[0]["content"] == "hello"
    assert person.seen[0] == ">"
    assert result.human_input == ["hello"]


def test_sender_need_not_be_known():
    bob = ConversableAgent("bob", llm_config=False, human_input_mode="ALWAYS")
    with IOStream.set_default(Person("yes")) as _:
        assert bob.generate_reply([{"content": "hi", "role": "user"}]) == {"role": "user", "content": "yes"}


def test_subclass_may_ask_in_its_own_way():
    class Asked(ConversableAgent):
        def get_human_input(self, prompt):
            return f"answer to {prompt[:8]}"

    bob = Asked("bob", llm_config=False, human_input_mode="ALWAYS")
    assert bob.generate_reply([{"content": "hi", "role": "user"}])["content"] == "answer to Replying"


def test_streams():
    person = Person()
    assert isinstance(IOStream.get_default(), IOConsole)
    with IOStream.set_default(person):
        assert IOStream.get_default() is person
        with IOStream.set_default(None):
            assert isinstance(IOStream.get_default(), IOConsole)
    assert isinstance(IOStream.get_default(), IOConsole)


def test_console(capsys, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: prompt + "typed")
    monkeypatch.setattr("getpass.getpass", lambda prompt: prompt + "hidden")
    console = IOConsole()
    console.print("a", "b", sep="-", end="!")
    assert capsys.readouterr().out == "a-b!"
    assert console.input("? ") == "? typed"
    assert console.input(password=True) == "Password: hidden"


@pytest.mark.parametrize("mode", ["ALWAYS", "TERMINATE", "NEVER"])
def test_max_turns_with_a_person(mode):
    """The initiator's own person is asked before each of its turns but the first."""
    ann = ConversableAgent("ann", llm_config=False, human_input_mode=mode)
    bob = ConversableAgent("bob", llm_config=False, human_input_mode="NEVER", default_auto_reply="TERMINATE")
    person = Person(*([] if mode == "NEVER" else ["more"]))
    with IOStream.set_default(person):
        result = ann.initiate_chat(bob, message="hi", max_turns=2, silent=True)
    assert len(result.chat_history) == (2 if mode == "NEVER" else 4)
