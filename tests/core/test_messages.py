"""Messages: what requests hold, and the counter in an id."""

import json
import os

import pytest

from cellblock._core.messages import PROTOCOL_VERSION, Message, MessageNumber, Requests


def test_an_execute_request_asks_for_what_a_cell_needs():
    message = Requests("us").execute("1 + 1")
    assert (message.channel, message.msg_type, message.parent_id) == ("shell", "execute_request", "")
    assert message.content == {
        "code": "1 + 1",
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    assert message.header["session"] == "us"
    assert message.header["version"] == PROTOCOL_VERSION


def test_a_silent_request_is_not_counted_as_a_cell():
    content = Requests().execute("x", silent=True, allow_stdin=True, user_expressions={"a": "b"}).content
    assert (content["silent"], content["store_history"]) == (True, False)
    assert (content["allow_stdin"], content["user_expressions"]) == (True, {"a": "b"})


def test_requests_of_one_client_have_ids_of_their_own():
    requests = Requests()
    ids = [requests.make("kernel_info_request", {}).msg_id for _ in range(100)]
    assert len(set(ids)) == 100
    assert MessageNumber.of(ids[-1]) == MessageNumber(f"{requests.session}_{os.getpid()}", 100)


def test_clients_have_sessions_of_their_own():
    assert Requests().session != Requests().session


def test_a_request_can_go_to_the_control_channel():
    assert Requests().make("interrupt_request", {}, channel="control").channel == "control"


def test_an_answer_goes_where_the_question_came_from():
    question = Message("stdin", {"msg_id": "q", "msg_type": "input_request"}, {}, {"prompt": "?"})
    answer = Requests().reply_to(question, "input_reply", {"value": "42"})
    assert (answer.channel, answer.msg_type, answer.parent_id) == ("stdin", "input_reply", "q")


def test_a_header_is_json():
    header = Requests().make("kernel_info_request", {}).header
    assert json.loads(json.dumps(header)) == header


def test_a_message_without_headers_has_empty_names():
    message = Message("iopub", {}, {}, {})
    assert (message.msg_id, message.msg_type, message.parent_id) == ("", "", "")


@pytest.mark.parametrize(
    ("msg_id", "number"),
    [
        ("a0cf1d50-3f_4711_12", MessageNumber("a0cf1d50-3f_4711", 12)),
        ("session_0", MessageNumber("session", 0)),
        ("d5f7a0a6-37c4-4ba4-9c8f-0d29e1b0a0b4", None),  # a UUID, as kernels of other languages give
        ("session_", None),
        ("_12", None),
        ("session_1x", None),
        ("session_¹", None),
        ("session_١٢", None),  # digits, and no number of ours
        ("12", None),
        ("", None),
    ],
)
def test_the_counter_is_read_from_ids_of_its_form_only(msg_id, number):
    assert MessageNumber.of(msg_id) == number
