"""Frames: what goes out comes back, and what is no message of our kernel is refused."""

import hmac
import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellblock._core.messages import Message
from cellblock._core.wire import DELIMITER, Signer, deserialize, serialize
from cellblock.errors import RemoteProtocolError

KEY = b"secret"
text = st.text(st.characters(), max_size=20)  # surrogates included
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(text, values, max_size=4)
messages = st.builds(
    Message,
    channel=st.sampled_from(["shell", "control", "iopub", "stdin"]),
    header=objects,
    parent_header=objects,
    content=objects,
    metadata=objects,
    buffers=st.lists(st.binary(max_size=20), max_size=3).map(tuple),
)
MESSAGE = Message("shell", {"msg_id": "1"}, {}, {"code": "1"})


@given(messages, st.binary(max_size=8), st.lists(st.binary(max_size=8).filter(lambda b: b != DELIMITER), max_size=3))
def test_what_is_serialized_is_read_again(message, key, identities):
    frames = [*identities, *serialize(message, Signer(key))]
    assert deserialize(message.channel, frames, Signer(key)) == message


def test_the_frames_are_those_of_the_protocol():
    """Computed here by hand, as the specification has it."""
    parts = [b'{"msg_id": "1"}', b"{}", b"{}", b'{"code": "1"}']
    signature = hmac.new(KEY, b"".join(parts), sha256).hexdigest().encode()
    assert serialize(MESSAGE, Signer(KEY)) == [b"<IDS|MSG>", signature, *parts]


def test_without_a_key_the_signature_is_empty():
    assert serialize(MESSAGE, Signer(b""))[1] == b""


@pytest.mark.parametrize("signature", [b"", b"0" * 64, b"no digits"])
def test_a_wrong_signature_is_refused(signature):
    frames = serialize(MESSAGE, Signer(KEY))
    with pytest.raises(RemoteProtocolError, match="A message on shell has a wrong signature; it was dropped"):
        deserialize("shell", [DELIMITER, signature, *frames[2:]], Signer(KEY))


@pytest.mark.parametrize("part", range(2, 6))
def test_a_changed_part_is_refused(part):
    frames = serialize(MESSAGE, Signer(KEY))
    frames[part] = b'{"other": 1}'
    with pytest.raises(RemoteProtocolError, match="wrong signature"):
        deserialize("shell", frames, Signer(KEY))


@pytest.mark.parametrize("count", range(6))
def test_too_few_frames_are_refused(count):
    frames = serialize(MESSAGE, Signer(KEY))[:count]
    with pytest.raises(RemoteProtocolError, match="is not framed as the Jupyter protocol asks; it was dropped"):
        deserialize("iopub", frames, Signer(KEY))


@pytest.mark.parametrize("part", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"NaN-", b"{}{}"])
def test_parts_that_are_no_json_objects_are_refused(part):
    parts = [b"{}", b"{}", b"{}", part]
    with pytest.raises(RemoteProtocolError, match="A message on stdin holds no valid JSON; it was dropped"):
        deserialize("stdin", [DELIMITER, Signer(KEY).sign(parts), *parts], Signer(KEY))


@given(st.lists(st.binary(max_size=30) | st.just(DELIMITER), max_size=9))
def test_garbage_raises_nothing_else(frames):
    with pytest.raises(RemoteProtocolError):
        deserialize("iopub", frames, Signer(KEY))


def test_deeply_nested_content_raises_nothing_else():
    """The parser's own limit is no reason to stop reading."""
    parts = [b"{}", b"{}", b"{}", b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"]
    with pytest.raises(RemoteProtocolError):
        deserialize("iopub", [DELIMITER, Signer(KEY).sign(parts), *parts], Signer(KEY))


def test_bytes_that_are_no_utf8_are_read_as_python_reads_file_names():
    parts = [b"{}", b"{}", b"{}", b'{"text": "caf\xe9"}']
    message = deserialize("iopub", [DELIMITER, Signer(KEY).sign(parts), *parts], Signer(KEY))
    assert message.content["text"].encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_not_a_number_is_taken_as_kernels_write_it():
    parts = [b"{}", b"{}", b"{}", b'{"data": {"application/json": NaN}}']
    message = deserialize("iopub", [DELIMITER, Signer(KEY).sign(parts), *parts], Signer(KEY))
    assert json.dumps(message.content) == '{"data": {"application/json": NaN}}'
