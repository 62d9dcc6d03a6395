"""The two WebSocket framings, checked against each other, against Jupyter Server's own code, and against garbage."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    deserialize_msg_from_ws_v1,
    serialize_binary_message,
    serialize_msg_to_ws_v1,
)

from cellblock._core.messages import Message, Requests
from cellblock._core.websocket_framing import V1_SUBPROTOCOL, JsonFraming, V1Framing, framing_for
from cellblock.errors import RemoteProtocolError

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.text(), _JSON, max_size=4)
_MESSAGES = st.builds(
    Message,
    channel=st.sampled_from(("shell", "control", "iopub", "stdin")),
    header=_OBJECTS,
    parent_header=_OBJECTS,
    content=_OBJECTS,
    metadata=_OBJECTS,
    buffers=st.lists(st.binary(max_size=30), max_size=3).map(tuple),
)


@given(_MESSAGES, st.sampled_from((JsonFraming(), V1Framing())))
def test_a_message_survives_the_way_there_and_back(message, framing):
    assert framing.decode(framing.encode(message)) == message


def test_the_subprotocol_chosen_by_the_server_decides_the_form():
    assert isinstance(framing_for(V1_SUBPROTOCOL), V1Framing)
    assert isinstance(framing_for(None), JsonFraming)


@given(_MESSAGES)
def test_jupyter_server_reads_our_v1_frames(message):
    channel, parts = deserialize_msg_from_ws_v1(V1Framing().encode(message))
    assert channel == message.channel
    assert [json.loads(part) for part in parts[:4]] == [
        message.header,
        message.parent_header,
        message.metadata,
        message.content,
    ]
    assert tuple(parts[4:]) == message.buffers


def test_we_read_the_v1_frames_of_jupyter_server():
    parts = [b'{"msg_id": "a_1_7"}', b'{"msg_id": "p"}', b'{"m": 1}', '{"text": "é"}'.encode(), b"buffer"]
    message = V1Framing().decode(serialize_msg_to_ws_v1(parts, "iopub"))
    assert message == Message("iopub", {"msg_id": "a_1_7"}, {"msg_id": "p"}, {"text": "é"}, {"m": 1}, (b"buffer",))


def test_buffers_in_the_older_form_are_those_of_jupyter_server():
    message = Message("iopub", {"msg_id": "a"}, {}, {"x": 1}, {}, (b"one", b"", b"three"))
    frame = JsonFraming().encode(message)
    assert isinstance(frame, bytes)
    read = deserialize_binary_message(frame)
    assert read["buffers"] == [b"one", b"", b"three"]
    assert JsonFraming().decode(serialize_binary_message(read)) == message


def test_text_that_is_no_unicode_can_be_sent():
    for framing in (JsonFraming(), V1Framing()):
        request = Requests("s").make("execute_request", {"code": "print('\ud800')"})
        assert framing.decode(framing.encode(request)).content["code"] == "print('\ud800')"


def test_broken_utf8_in_a_message_is_replaced_and_not_fatal():
    frame = serialize_msg_to_ws_v1([b"{}", b"{}", b"{}", b'{"text": "\xff"}'], "iopub")
    assert V1Framing().decode(frame).content == {"text": "�"}


@pytest.mark.parametrize(
    ("framing", "frame"),
    [
        (V1Framing(), b""),
        (V1Framing(), b"short"),
        (V1Framing(), struct.pack("<Q", 2**62)),
        (V1Framing(), b"\xff" * 64),
        (V1Framing(), serialize_msg_to_ws_v1([b"{}", b"{}", b"{}", b"{}"], "no such channel")),
        (V1Framing(), serialize_msg_to_ws_v1([b"{}", b"{}"], "iopub")),
        (V1Framing(), serialize_msg_to_ws_v1([b"{}", b"{}", b"{}", b"[]"], "iopub")),
        (V1Framing(), "text"),
        (JsonFraming(), "<html>sign in</html>"),
        (JsonFraming(), "[]"),
        (JsonFraming(), '{"channel": "iopub"}'),
        (JsonFraming(), '{"channel": "other", "header": {}, "content": {}}'),
        (JsonFraming(), b"\x00\x00\x00\x00"),
        (JsonFraming(), b"\xff\xff\xff\xff"),
        (JsonFraming(), b""),
    ],
)
def test_garbage_is_a_remote_protocol_error(framing, frame):
    with pytest.raises(RemoteProtocolError):
        framing.decode(frame)


@given(st.binary(max_size=200), st.sampled_from((JsonFraming(), V1Framing())))
def test_no_bytes_make_a_framing_fail_in_another_way(frame, framing):
    try:
        framing.decode(frame)
    except RemoteProtocolError as error:
        assert "not a Jupyter message" in str(error)  # noqa: PT017
