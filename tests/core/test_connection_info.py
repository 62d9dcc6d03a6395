"""Where a server is: URLs in and out, and what never shows."""

from __future__ import annotations

import dataclasses
import traceback

import pytest

from cellblock._core.connection_info import JupyterConnectionInfo
from cellblock.errors import ConfigError


def test_the_fields_autogen_knows_come_first():
    info = JupyterConnectionInfo("example.com", True, 7893, "mytoken")
    assert (info.host, info.use_https, info.port, info.token) == ("example.com", True, 7893, "mytoken")
    assert info.url == "https://example.com:7893"
    assert info.websocket_url == "wss://example.com:7893"
    assert info.request_headers == {"Authorization": "token mytoken"}
    assert dataclasses.is_dataclass(info)


def test_no_port_means_no_port_in_the_url():
    assert JupyterConnectionInfo(host="example.com", use_https=False).url == "http://example.com"


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_gets_its_brackets(host):
    info = JupyterConnectionInfo(host, use_https=False, port=8888)
    assert (info.host, info.url, info.websocket_url) == ("::1", "http://[::1]:8888", "ws://[::1]:8888")


@pytest.mark.parametrize(
    ("url", "base", "token"),
    [
        ("http://127.0.0.1:8888/?token=abc", "http://127.0.0.1:8888", "abc"),
        ("http://localhost:8888/lab?token=abc", "http://localhost:8888", "abc"),
        ("http://localhost:8888/tree/work?token=abc", "http://localhost:8888", "abc"),
        ("http://[::1]:8888/lab/tree/a.ipynb?token=abc&reset", "http://[::1]:8888", "abc"),
        ("https://hub.example.com/user/ann/lab?token=abc", "https://hub.example.com/user/ann", "abc"),
        ("https://hub.example.com/user/lab/lab", "https://hub.example.com/user/lab", None),
        ("https://example.com/some/base/api/kernels", "https://example.com/some/base", None),
        ("  http://example.com ", "http://example.com", None),
    ],
)
def test_what_jupyter_prints_is_understood(url, base, token):
    info = JupyterConnectionInfo.from_url(url)
    assert (info.url, info.token) == (base, token)


def test_a_token_given_beside_the_url_wins():
    assert JupyterConnectionInfo.from_url("http://h/?token=a", token="b").token == "b"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8888", "ftp://h/", "http://", "ws://h:1", "http://u:geheim@h/", "http://h:99999/?token=geheim"]
)
def test_other_urls_are_refused_without_showing_what_is_secret(url):
    with pytest.raises(ConfigError) as caught:
        JupyterConnectionInfo.from_url(url)
    assert "geheim" not in str(caught.value)


def test_a_url_as_the_host_says_what_to_use():
    with pytest.raises(ConfigError, match="from_url"):
        JupyterConnectionInfo("http://example.com/", use_https=False)


def test_secrets_do_not_show():
    info = JupyterConnectionInfo("h", True, 1, "geheim", base_path="b", headers={"X-Key": "geheim"}, verify=False)
    assert repr(info) == (
        "JupyterConnectionInfo(host='h', use_https=True, port=1, token='***', base_path='/b', verify=False, "
        "headers={'X-Key': '***'})"
    )
    assert "geheim" not in "".join(_traceback_with_locals(info))


def _traceback_with_locals(info):
    try:
        return [str(1 / 0)] if info else []
    except ZeroDivisionError as error:
        return list(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def test_the_repr_of_autogens_fields_is_a_dataclass_repr():
    assert repr(JupyterConnectionInfo("h", False)) == (
        "JupyterConnectionInfo(host='h', use_https=False, port=None, token=None)"
    )


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False)],
)
def test_this_machine_is_known(host, loopback):
    assert JupyterConnectionInfo(host, use_https=False).is_loopback is loopback


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"host": "127.0.0.1:8888"},
            r"^host must be without its port, not '127\.0\.0\.1:8888'\. Pass the port as port=\.$",
        ),
        ({"host": "two words"}, "^host must be a host name or an IP address"),
        ({"host": None}, "^host must be a host name or an IP address, not None"),
        ({"port": 99999}, r"^port must be a whole number from 1 to 65535, or None for none; it was 99999\.$"),
        ({"port": -1}, "^port must be a whole number"),
        ({"port": 0}, "^port must be a whole number"),
        ({"port": "8888"}, "^port must be a whole number"),
        ({"token": "geheim…"}, "^token must be of printable characters of Latin-1"),
        ({"token": "geheim\r\nX-A: b"}, "^token must be of printable characters of Latin-1"),
        ({"token": b"geheim"}, "^token must be text, or None for none; it was bytes"),
        ({"headers": {"X-A": 5}}, "^headers must have values of printable Latin-1 text; that of 'X-A'"),
        ({"headers": {"X-A": "geheim\n"}}, "^headers must have values"),
        ({"headers": {"X-A": "geheim…"}}, "^headers must have values"),
        ({"headers": {"X A": "geheim"}}, "^headers must have names of letters"),
    ],
)
def test_what_cannot_be_is_refused_without_showing_what_is_secret(arguments, words):
    with pytest.raises(ConfigError, match=words) as caught:
        JupyterConnectionInfo(**{"host": "h", "use_https": False} | arguments)
    assert "geheim" not in str(caught.value)


def test_a_token_is_taken_without_the_end_of_the_line_it_was_read_from():
    assert JupyterConnectionInfo("h", False, token=" 00f3\n").request_headers == {"Authorization": "token 00f3"}


def test_a_url_that_cannot_be_read_is_told():
    with pytest.raises(ConfigError, match=r"^The URL of a Jupyter server cannot be read: Invalid IPv6 URL\.$"):
        JupyterConnectionInfo.from_url("http://[::1")
