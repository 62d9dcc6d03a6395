"""The server name that a TLS connection begins with, from real clients and from what is none."""

import ssl

import pytest

from cellblock.kernels.sandbox.tls_hello import NotTls, server_name


def _hello(name):
    """What a client of the standard library sends first."""
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


def test_the_name_is_found():
    assert server_name(_hello("Packages.example")) == "packages.example"


def test_an_address_is_no_name():
    assert server_name(_hello("192.0.2.1")) == ""


def test_a_part_of_the_message_is_waited_for():
    hello = _hello("packages.example")
    assert {server_name(hello[:length]) for length in range(len(hello))} == {None}


def test_a_message_spread_over_records_is_put_together():
    hello = _hello("packages.example")
    body = hello[5:]
    records = b"".join(
        hello[:3] + len(part).to_bytes(2, "big") + part
        for part in (body[at : at + 50] for at in range(0, len(body), 50))
    )
    assert server_name(records) == "packages.example"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"\x17\x03\x03\x00\x05hello",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
        b"\x16\x03\x01\x00\x08\x01\x00\x00\x04\x03\x03ab",
    ],
)
def test_what_is_no_first_message_is_refused(data):
    with pytest.raises(NotTls):
        server_name(data)


def test_no_flipped_bit_breaks_the_reading():
    hello = bytearray(_hello("packages.example"))
    for at in range(len(hello)):
        hello[at] ^= 0xFF
        try:
            said = server_name(bytes(hello))
        except NotTls:
            said = ""
        assert said is None or isinstance(said, str)
        hello[at] ^= 0xFF
