"""One cell as a state machine: fed what real kernels said, in every order in which it may arrive."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellblock._core.execution import Execution, Phase
from cellblock._core.messages import Message, Requests
from cellblock._core.output_log import OutputLog
from cellblock._core.outputs import (
    DisplayOutput,
    ErrorOutput,
    Output,
    ResultOutput,
    StreamOutput,
)
from cellblock._core.render import render_cell
from cellblock._core.results import CellResult, CellStatus
from recordings.conversations import KERNELS, Conversation, conversations

ALL = [conversation for kernel in KERNELS for conversation in conversations(kernel)]
COUNTABLE = [c for c in ALL if c.cell in ("nothing", "streams", "error", "cleared", "many")]  # no display among them
STREAMS = next(c for c in ALL if str(c) == "ipykernel-streams")
SHARED = next(c for c in ALL if c.cell == "shared")

each = pytest.mark.parametrize("conversation", ALL, ids=str)


def fed(conversation: Conversation, messages: Iterable[Message]) -> tuple[Execution, tuple[Output, ...]]:
    """An execution that got some messages, and the outputs it gave, as a log keeps them."""
    execution, log = Execution(conversation.request), OutputLog()
    for message in messages:
        output = execution.receive(message)
        if output is not None:
            log.add(output)
    return execution, log.outputs()


def known(execution: Execution) -> tuple[object, ...]:
    return execution.phase, execution.status, execution.execution_count, execution.error


@st.composite
def interleaved(draw: st.DrawFn, messages: tuple[Message, ...]) -> list[Message]:
    """The messages in another order in which they may arrive: each channel keeps its own."""
    queues = [[m for m in messages if m.channel == channel] for channel in sorted({m.channel for m in messages})]
    arrived = []
    while queues := [queue for queue in queues if queue]:
        arrived.append(draw(st.sampled_from(queues)).pop(0))
    return arrived


def reply_of(conversation: Conversation) -> Message:
    return next(m for m in conversation.messages if m.msg_type == "execute_reply")


def idle_of(conversation: Conversation) -> Message:
    return next(m for m in conversation.messages if is_status(m, "idle") and belongs(m, conversation))


def is_status(message: Message, state: str) -> bool:
    return message.msg_type == "status" and message.content["execution_state"] == state


def belongs(message: Message, conversation: Conversation) -> bool:
    return message.parent_id == conversation.request.msg_id


def without(conversation: Conversation, *left_out: Message) -> list[Message]:
    return [m for m in conversation.messages if not any(m is other for other in left_out)]


# What real kernels said

EXPECTED = {
    "nothing": [],
    "streams": [
        StreamOutput("stdout", "one\n"),
        StreamOutput("stderr", "two\n"),
        StreamOutput("stdout", "three\n"),
        ResultOutput({"text/plain": "42"}, execution_count=2),
    ],
    "displays": [
        DisplayOutput({"text/plain": "second"}, display_id="d"),
        DisplayOutput({"text/plain": "<IPython.core.display.HTML object>", "text/html": "<b>bold</b>"}),
        ResultOutput({"text/plain": "'value'"}, execution_count=4),
    ],
    "cleared": [StreamOutput("stdout", "kept\n")],
    "many": [StreamOutput("stdout" if i % 2 == 0 else "stderr", f"{i}\n") for i in range(30)],
    "shows_itself": [StreamOutput("stdout", "itself\n")],
    "shared": [StreamOutput("stdout", "began\nended\n")],
}


@pytest.mark.parametrize("conversation", [c for c in ALL if c.kernel != "bash_kernel" and c.cell in EXPECTED], ids=str)
def test_a_conversation_with_ipykernel_gives_its_outputs(conversation):
    execution, outputs = fed(conversation, conversation.messages)
    assert list(outputs) == EXPECTED[conversation.cell]
    assert (execution.over, execution.status) == (True, CellStatus.OK)


def test_a_conversation_with_another_languages_kernel_gives_its_outputs():
    streams, error = (next(c for c in conversations("bash_kernel") if c.cell == cell) for cell in ("streams", "error"))
    execution, outputs = fed(streams, streams.messages)
    assert outputs == (StreamOutput("stdout", "one\ntwo\n1\n"),)
    assert (execution.status, execution.execution_count) == (CellStatus.OK, 2)
    execution, outputs = fed(error, error.messages)
    assert isinstance(outputs[-1], ErrorOutput)
    assert execution.status is CellStatus.ERROR


@pytest.mark.parametrize("kernel", ["ipykernel", "jupyter_server"])
def test_an_error_is_an_output_and_the_status(kernel):
    conversation = next(c for c in conversations(kernel) if c.cell == "error")
    execution, outputs = fed(conversation, conversation.messages)
    assert outputs[0] == StreamOutput("stdout", "before\n")
    assert outputs[1] is execution.error
    assert (execution.error.ename, execution.error.evalue) == ("ZeroDivisionError", "division by zero")
    assert "division by zero" in execution.error.traceback[-1]
    assert execution.status is CellStatus.ERROR


@each
def test_nothing_is_missing_of_a_whole_conversation(conversation):
    # ipykernel numbers a result before it finds that the object shows itself, and then does not send it. Before a
    # display that is known for what it is; before printed text it looks like a loss.
    expected = 1 if conversation.cell == "shows_itself" else 0
    assert fed(conversation, conversation.messages)[0].missing == expected


# Any order, repetitions, interruptions


@each
@given(data=st.data())
def test_every_order_of_arrival_gives_the_same(conversation, data):
    expected = fed(conversation, conversation.messages)
    execution, outputs = fed(conversation, data.draw(interleaved(conversation.messages)))
    assert outputs == expected[1]
    assert known(execution) == known(expected[0])
    assert execution.missing == expected[0].missing


@each
@given(data=st.data())
def test_a_cell_is_over_when_reply_and_idle_have_come_and_not_before(conversation, data):
    execution = Execution(conversation.request)
    left = {id(reply_of(conversation)), id(idle_of(conversation))}
    for message in data.draw(interleaved(conversation.messages)):
        execution.receive(message)
        left.discard(id(message))
        assert execution.over is (not left)
        assert execution.half_over is (len(left) == 1)


@each
@given(data=st.data())
def test_repeated_replies_and_statuses_change_nothing(conversation, data):
    """Of a connection that was cut and made again, messages may come twice, and the old ones after the new."""
    expected = fed(conversation, conversation.messages)
    arrived = list(conversation.messages)
    for message in conversation.messages:
        if message.msg_type in ("status", "execute_reply", "execute_input"):
            earliest = next(i for i, m in enumerate(arrived) if m is message) + 1
            arrived.insert(data.draw(st.integers(earliest, len(arrived))), message)
    execution, outputs = fed(conversation, arrived)
    assert outputs == expected[1]
    assert known(execution) == known(expected[0])
    assert execution.missing <= expected[0].missing


def test_what_another_thread_says_before_the_busy_is_not_missing():
    """The thread that greets a subscriber draws its number after the busy has drawn one, and is the first to send."""
    request = Requests().make("execute_request", {"code": "1"})

    def said(number, kind, channel="iopub", parent=request.header, **content):
        return Message(channel, {"msg_id": f"kernel_1_{number}", "msg_type": kind}, parent, content)

    execution = Execution(request)
    for message in (
        said(7, "iopub_welcome", parent={}),
        said(6, "status", execution_state="busy"),
        said(8, "execute_input", execution_count=1),
        said(9, "execute_reply", channel="shell", status="ok"),
        said(10, "status", execution_state="idle"),
    ):
        execution.receive(message)
    assert (execution.over, execution.missing) == (True, 0)


@given(data=st.data())
def test_messages_of_other_cells_and_of_none_are_not_looked_at(data):
    others = [m for c in conversations("ipykernel") if c is not STREAMS and c.cell != "streams" for m in c.messages]
    none = Message("iopub", {"msg_type": "stream", "msg_id": ""}, {}, {"name": "stdout", "text": "of no cell"})
    arrived = list(STREAMS.messages)
    for message in data.draw(st.lists(st.sampled_from([*others, none]), max_size=10)):
        arrived.insert(data.draw(st.integers(0, len(arrived))), message)
    execution, outputs = fed(STREAMS, arrived)
    assert list(outputs) == EXPECTED["streams"]
    assert (execution.over, execution.status) == (True, CellStatus.OK)


# What was lost


@pytest.mark.parametrize("conversation", COUNTABLE, ids=str)
@given(data=st.data())
def test_every_lost_message_is_counted(conversation, data):
    busy, idle = conversation.messages[0], idle_of(conversation)
    assert is_status(busy, "busy")
    between = [m for m in conversation.messages if m not in (busy, idle, reply_of(conversation))]
    lost = data.draw(st.lists(st.sampled_from(between), unique_by=id)) if between else []
    execution, _ = fed(conversation, data.draw(interleaved(tuple(without(conversation, *lost)))))
    assert execution.over
    assert execution.missing == len(lost)


@given(data=st.data())
def test_a_lost_message_beside_another_clients_is_counted(data):
    """The other's replies have numbers that never reach us; they are not lost."""
    mine = [m for m in SHARED.messages if belongs(m, SHARED) and m.msg_type in ("stream", "execute_input")]
    lost = data.draw(st.lists(st.sampled_from(mine), unique_by=id))
    execution, _ = fed(SHARED, without(SHARED, *lost))
    assert execution.missing == len(lost)


def test_a_display_is_not_charged_with_the_result_that_is_never_sent():
    streams = list(STREAMS.messages)
    result = next(i for i, m in enumerate(streams) if m.msg_type == "execute_result")
    number = int(streams[result].msg_id.rpartition("_")[2])
    shown = renumbered(streams[result], "display_data", number + 1)
    after = [renumbered(m, m.msg_type, int(m.msg_id.rpartition("_")[2]) + 1) for m in streams[result + 1 :]]
    execution, outputs = fed(STREAMS, [*streams[:result], shown, *after])
    assert isinstance(outputs[-1], DisplayOutput)
    assert (execution.over, execution.missing) == (True, 0)


def renumbered(message: Message, msg_type: str, number: int) -> Message:
    prefix = message.msg_id.rpartition("_")[0]
    header = {**message.header, "msg_type": msg_type, "msg_id": f"{prefix}_{number}"}
    return Message(message.channel, header, message.parent_header, message.content)


def test_a_lost_error_is_known_from_the_reply():
    conversation = next(c for c in conversations("ipykernel") if c.cell == "error")
    lost = next(m for m in conversation.messages if m.msg_type == "error")
    execution, _ = fed(conversation, without(conversation, lost))
    assert (execution.status, execution.missing) == (CellStatus.ERROR, 1)
    assert execution.error.ename == "ZeroDivisionError"


def test_a_fence_ends_a_cell_whose_idle_was_lost():
    execution, _ = fed(STREAMS, without(STREAMS, idle_of(STREAMS)))
    assert (execution.phase, execution.half_over) == (Phase.REPLIED, True)
    execution.fence(heard=True)
    assert (execution.over, execution.status, execution.missing) == (True, CellStatus.OK, 1)


def test_a_fence_ends_a_cell_whose_reply_was_lost():
    execution, _ = fed(STREAMS, without(STREAMS, reply_of(STREAMS)))
    assert (execution.phase, execution.half_over) == (Phase.IDLED, True)
    execution.fence(heard=True)
    assert (execution.over, execution.missing) == (True, 1)


def test_what_is_missing_is_only_exact_once_the_end_is_known():
    execution, _ = fed(STREAMS, without(STREAMS, idle_of(STREAMS)))
    execution.fence(heard=False)
    assert (execution.over, execution.missing, execution.counted) == (True, 1, False)
    assert fed(STREAMS, STREAMS.messages)[0].counted


@given(st.integers(0, len(STREAMS.messages)))
def test_a_fence_ends_a_cell_wherever_it_is(count):
    execution, _ = fed(STREAMS, STREAMS.messages[:count])
    was_over = execution.over
    execution.fence(heard=True)
    assert execution.over
    assert (execution.missing > 0) is (not was_over)


# Kernels that count in no way we know


def uncounted(message: Message) -> Message:
    """The message with an id as kernels of other languages give it."""
    header = {**message.header, "msg_id": f"id-{message.msg_id.replace('_', '-')}-x"}
    return Message(message.channel, header, message.parent_header, message.content)


@given(st.lists(st.sampled_from(STREAMS.messages[1:4]), unique_by=id))
def test_without_numbers_nothing_is_said_to_be_missing(lost):
    execution, _ = fed(STREAMS, map(uncounted, without(STREAMS, *lost)))
    assert (execution.over, execution.missing) == (True, 0)


# Single facts


def request() -> Message:
    return Requests("us").execute("code")


def answer(to: Message, msg_type: str, content: dict, channel: str = "iopub") -> Message:
    return Message(channel, {"msg_type": msg_type, "msg_id": "kernel-1", "session": "kernel"}, to.header, content)


def test_an_aborted_cell_did_not_run():
    asked = request()
    execution = Execution(asked)
    execution.receive(answer(asked, "execute_reply", {"status": "aborted"}, "shell"))
    execution.receive(answer(asked, "status", {"execution_state": "idle"}))
    assert (execution.over, execution.status) == (True, CellStatus.NOT_RUN)


@pytest.mark.parametrize(
    ("payload", "asks"),
    [
        ([{"source": "ask_exit", "keepkernel": False}], True),
        ([{"source": "ask_exit", "keepkernel": True}], False),
        ([{"source": "set_next_input", "text": "x"}], False),
        ([], False),
        (None, False),
        (["nonsense"], False),
    ],
)
def test_exit_is_known_from_the_reply(payload, asks):
    asked = request()
    execution = Execution(asked)
    execution.receive(answer(asked, "execute_reply", {"status": "ok", "payload": payload}, "shell"))
    assert execution.asks_exit is asks


WARNING = "\nIOPub data rate exceeded.\nThe Jupyter server will temporarily stop sending output\n"


def test_a_servers_note_that_it_drops_output_is_noticed():
    asked = request()
    execution = Execution(asked)
    output = execution.receive(answer(asked, "stream", {"name": "stderr", "text": WARNING}))
    assert output == StreamOutput("stderr", WARNING)
    assert execution.server_dropped


def test_the_same_words_from_the_kernel_are_only_words():
    busy, stream = STREAMS.messages[0], STREAMS.messages[2]
    execution = Execution(STREAMS.request)
    execution.receive(busy)
    spoken = Message("iopub", stream.header, stream.parent_header, {"name": "stderr", "text": WARNING})
    execution.receive(spoken)
    assert not execution.server_dropped


@pytest.mark.parametrize(
    ("msg_type", "content", "expected"),
    [
        ("stream", {}, StreamOutput("stdout", "")),
        ("stream", {"name": "stdlog", "text": "a"}, StreamOutput("stdout", "a")),
        ("display_data", {}, DisplayOutput({})),
        ("display_data", {"data": None, "transient": None}, DisplayOutput({})),
        ("display_data", {"data": {}, "transient": {"display_id": 3}}, DisplayOutput({})),
        ("execute_result", {"data": "text"}, ResultOutput({})),
        ("error", {}, ErrorOutput("Error", "")),
        ("error", {"ename": "E", "evalue": 3, "traceback": None}, ErrorOutput("E", "3")),
        ("comm_open", {"data": {}}, None),
        ("", {}, None),
    ],
)
def test_content_that_lacks_what_it_should_have_is_taken_as_far_as_it_goes(msg_type, content, expected):
    asked = request()
    assert Execution(asked).receive(answer(asked, msg_type, content)) == expected


# Kernels that send anything at all

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TYPES = ("stream", "display_data", "update_display_data", "execute_result", "error", "clear_output", "status")
KEYS = (
    "name",
    "text",
    "data",
    "metadata",
    "transient",
    "execution_count",
    "ename",
    "evalue",
    "traceback",
    "wait",
    "status",
)
KEYS = (*KEYS, "payload", "user_expressions", "execution_state")


@settings(max_examples=500)
@given(
    st.sampled_from([*TYPES, "execute_reply", "execute_input"]),
    st.dictionaries(st.sampled_from(KEYS), json_values),
    st.sampled_from(["shell", "iopub"]),
    st.text(max_size=5) | st.integers(),
)
def test_contents_of_any_shape_are_taken(kind, content, channel, msg_id):
    request = Requests().execute("1")
    execution, log = Execution(request), OutputLog()
    header = {"msg_id": msg_id, "msg_type": kind}
    output = execution.receive(Message(channel, header, dict(request.header), content))
    if output is not None:
        log.add(output)
    assert execution.status in CellStatus
    assert execution.asks_exit in {True, False}
    assert isinstance(render_cell(CellResult(execution.status, log.outputs())).text, str)
