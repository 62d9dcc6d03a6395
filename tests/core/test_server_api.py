"""What the answers of servers, and of things that are none, come to."""

from __future__ import annotations

import json

import pytest

from cellblock._core import contents_api, server_api
from cellblock._core.server_api import Answer, ServerBusyError, read_answer
from cellblock.errors import AuthError, ConfigError, ConnectError, KernelStartError, RemoteProtocolError

SERVER = "http://h:1/base"
MODEL = {"id": "a", "name": "python3"}


def json_answer(status, value):
    return Answer(status, "application/json", "", json.dumps(value).encode())


def read(call, answer, *, has_token=True):
    return read_answer(call, answer, SERVER, has_token=has_token)


def test_what_is_asked():
    call = server_api.start_kernel("python3", "my-id", "work")
    assert (call.method, call.path) == ("POST", "/api/kernels")
    assert call.body == {"name": "python3", "path": "work", "kernel_id": "my-id"}
    assert server_api.start_kernel("ir").body == {"name": "ir", "path": ""}
    assert server_api.interrupt_kernel("a/b").path == "/api/kernels/a%2Fb/interrupt"
    assert server_api.get_kernel("a").params == {"no_track_activity": "1"}


def test_only_calls_that_do_the_same_twice_may_be_repeated():
    assert server_api.list_kernels().repeatable
    assert server_api.delete_kernel("a").repeatable
    assert not server_api.start_kernel("python3").repeatable


@pytest.mark.parametrize(
    ("call", "answer", "value"),
    [
        (server_api.list_kernels(), json_answer(200, [MODEL]), [MODEL]),
        (server_api.list_kernel_specs(), json_answer(200, {"kernelspecs": {}}), {"kernelspecs": {}}),
        (server_api.start_kernel("python3"), json_answer(201, MODEL), "a"),
        (server_api.get_kernel("a"), json_answer(200, MODEL), MODEL),
        (server_api.get_kernel("a"), json_answer(404, {"message": "Kernel does not exist: a"}), None),
        (server_api.delete_kernel("a"), Answer(204, "", "", b""), True),
        (server_api.delete_kernel("a"), json_answer(404, {}), False),
        (server_api.interrupt_kernel("a"), Answer(204, "", "", b""), True),
        (server_api.interrupt_kernel("a"), json_answer(404, {}), False),
        (server_api.restart_kernel("a"), json_answer(200, MODEL), None),
    ],
)
def test_what_an_answer_comes_to(call, answer, value):
    assert read(call, answer) == value


HTML = Answer(200, "text/html; charset=utf-8", "", b"<!doctype html><title>Sign in</title>")
FORBIDDEN = json_answer(403, {"message": "Forbidden", "reason": None})


@pytest.mark.parametrize(
    ("answer", "has_token", "kind", "text"),
    [
        (
            FORBIDDEN,
            True,
            AuthError,
            (
                "The server at http://h:1/base was asked to list its kernels, but refused our token. Check it against the one "
                "the server was started with."
            ),
        ),
        (
            json_answer(401, {"reason": "Unauthorized", "message": ""}),
            False,
            AuthError,
            (
                "The server at http://h:1/base was asked to list its kernels, but wants a token and none was given. Pass "
                "token= (the server prints it when it starts)."
            ),
        ),
        (
            json_answer(403, {"message": "no scope"}),
            True,
            AuthError,
            (
                "The server at http://h:1/base was asked to list its kernels, but refused our token (no scope). Check it "
                "against the one the server was started with."
            ),
        ),
        (
            Answer(302, "", "/hub/login?next=x", b""),
            True,
            AuthError,
            (
                "The server at http://h:1/base was asked to list its kernels and sent us to its login page (/hub/login). "
                "Check the token."
            ),
        ),
        (
            Answer(301, "", "https://h:1/base/api/kernels?x=1", b""),
            True,
            RemoteProtocolError,
            (
                "The server at http://h:1/base was asked to list its kernels and sent us to https://h:1/base/api/kernels. "
                "Connect with https (use_https=True)."
            ),
        ),
        (
            Answer(302, "", "http://other/", b""),
            True,
            RemoteProtocolError,
            (
                "The server at http://h:1/base was asked to list its kernels and sent us to http://other/. Connect to that "
                "address instead."
            ),
        ),
        (
            HTML,
            True,
            RemoteProtocolError,
            (
                "http://h:1/base was asked to list its kernels and answered with an HTML page, so it is no Jupyter server, or "
                "one with another base path, or a proxy stands before it. Open http://h:1/base/api in a browser: a Jupyter "
                "server shows its version."
            ),
        ),
        (
            Answer(404, "text/plain", "", b"not here"),
            True,
            RemoteProtocolError,
            (
                "http://h:1/base was asked to list its kernels and answered with HTTP 404 and no JSON of Jupyter's, so it is "
                "no Jupyter server, or one with another base path, or a proxy stands before it. Open http://h:1/base/api in a "
                "browser: a Jupyter server shows its version."
            ),
        ),
        (
            json_answer(424, {"message": "x"}),
            True,
            ConnectError,
            (
                "The server at http://h:1/base was asked to list its kernels, but the hub says that this user's server is not "
                "running. Start it on the hub."
            ),
        ),
        (
            Answer(503, "text/html", "", b"<html>"),
            True,
            ServerBusyError,
            (
                "The server at http://h:1/base was asked to list its kernels, but a proxy before it answered 503: the server "
                "cannot be reached."
            ),
        ),
        (
            json_answer(400, {"message": "what\n is this"}),
            True,
            RemoteProtocolError,
            "The server at http://h:1/base was asked to list its kernels and failed with HTTP 400: what is this.",
        ),
        (
            Answer(500, "", "", b""),
            True,
            RemoteProtocolError,
            "The server at http://h:1/base was asked to list its kernels and failed with HTTP 500: it did not say why.",
        ),
    ],
)
def test_a_refusal_says_what_was_wanted_what_happened_and_what_to_do(answer, has_token, kind, text):
    with pytest.raises(kind) as caught:
        read(server_api.list_kernels(), answer, has_token=has_token)
    assert str(caught.value).removesuffix(GATEWAY) == text


GATEWAY = " A Kernel Gateway lists them only if started with --JupyterWebsocketPersonality.list_kernels=true."


def test_who_may_not_list_kernels_is_told_of_the_gateways_switch():
    with pytest.raises(AuthError) as caught:
        read(server_api.list_kernels(), FORBIDDEN)
    assert str(caught.value).endswith(GATEWAY)


@pytest.mark.parametrize(
    ("call", "answer", "text"),
    [
        (
            server_api.start_kernel("python3"),
            json_answer(500, {"message": "no memory"}),
            "The server could not start a kernel 'python3': no memory. Its log says more.",
        ),
        (
            server_api.start_kernel("python3"),
            json_answer(403, {"message": "Resource Limit"}),
            (
                "The server at http://h:1/base was asked to start a kernel 'python3', but already runs as many kernels as it "
                "is allowed to. Stop one of them."
            ),
        ),
        (
            server_api.restart_kernel("a"),
            json_answer(500, {"message": "Exception restarting kernel"}),
            "The server could not restart kernel a: Exception restarting kernel.",
        ),
        (
            server_api.restart_kernel("a"),
            json_answer(404, {}),
            "Kernel a was to be restarted, but the server has no kernel of that id any more.",
        ),
    ],
)
def test_what_a_server_cannot_do_with_a_kernel_is_a_start_error(call, answer, text):
    with pytest.raises(KernelStartError) as caught:
        read(call, answer)
    assert str(caught.value) == text


def test_a_file_that_the_server_may_not_touch_has_nothing_to_do_with_our_token():
    with pytest.raises(ConfigError) as caught:
        read(contents_api.get_file(["a", "b"]), json_answer(403, {"message": "Permission denied: a/b"}))
    assert str(caught.value) == (
        "The server was asked for 'a/b' and refused: Permission denied: a/b. Use another name, or cells."
    )
    with pytest.raises(AuthError):
        read(contents_api.get_file(["a", "b"]), FORBIDDEN)


@pytest.mark.parametrize("value", [{"no": "id"}, [], "text", None, 7])
def test_json_of_another_shape_is_no_jupyter_server(value):
    with pytest.raises(RemoteProtocolError, match="no JSON of Jupyter's"):
        read(server_api.start_kernel("python3"), json_answer(201, value))


def test_a_servers_long_message_is_cut():
    with pytest.raises(RemoteProtocolError) as caught:
        read(server_api.list_kernels(), json_answer(400, {"message": "x" * 5000}))
    assert len(str(caught.value)) < 500
