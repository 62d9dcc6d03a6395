"""The REST client, blocking and asynchronous, against stock servers, TLS and things that are no Jupyter server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import socket
import threading

import psutil
import pytest
import trustme

from cellblock._core import server_api
from cellblock.errors import AuthError, ConfigError, ConnectError, KernelSpecNotFound, RemoteProtocolError
from cellblock.servers.connection_info import JupyterConnectionInfo
from cellblock.transports.rest import AsyncJupyterClient, JupyterClient
from cellblock.transports.websocket import WebSocketTransport
from servers.stock import stock_server


def test_a_kernels_life_blocking(any_server):
    client = JupyterClient(any_server.info)
    assert "python3" in client.list_kernel_specs()["kernelspecs"]
    kernel_id = client.start_kernel("python3", kernel_id="cellblock-test-h-1-a")
    assert kernel_id == "cellblock-test-h-1-a"
    assert kernel_id in [model["id"] for model in client.list_kernels()]
    assert client.get_kernel(kernel_id)["name"] == "python3"
    assert client.interrupt_kernel(kernel_id)
    client.restart_kernel(kernel_id)
    assert client.delete_kernel(kernel_id)
    assert client.get_kernel(kernel_id) is None
    assert not client.delete_kernel(kernel_id)
    assert not client.interrupt_kernel(kernel_id)


@pytest.mark.anyio
async def test_a_kernels_life_asynchronous(any_server):
    async with AsyncJupyterClient(any_server.info) as client:
        assert "python3" in (await client.list_kernel_specs())["kernelspecs"]
        kernel_id = await client.start_kernel("python3")
        assert kernel_id in [model["id"] for model in await client.list_kernels()]
        assert (await client.get_kernel(kernel_id))["name"] == "python3"
        assert await client.interrupt_kernel(kernel_id)
        await client.restart_kernel(kernel_id)
        assert await client.delete_kernel(kernel_id)
        assert await client.get_kernel(kernel_id) is None


@pytest.mark.anyio
async def test_of_many_connections_one_is_kept(jupyter_server):
    info = jupyter_server.info
    async with AsyncJupyterClient(info) as client:
        await asyncio.gather(*(client.list_kernels() for _ in range(5)))
        connected = [c for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr.port == info.port]
        assert len([c for c in connected if c.status == "ESTABLISHED"]) == 1


def test_a_second_start_with_the_same_id_starts_nothing(any_server):
    client = JupyterClient(any_server.info)
    first = client.start_kernel("python3", kernel_id="cellblock-test-h-1-b")
    assert client.start_kernel("python3", kernel_id="cellblock-test-h-1-b") == first
    client.delete_kernel(first)


def test_a_wrong_token(any_server):
    info = dataclasses.replace(any_server.info, token="geheim")
    with pytest.raises(AuthError, match="refused our token") as caught:
        JupyterClient(info).start_kernel("python3")
    assert "geheim" not in str(caught.value)


def test_no_token_where_one_is_wanted(any_server):
    info = dataclasses.replace(any_server.info, token=None)
    with pytest.raises(AuthError, match="wants a token and none was given"):
        JupyterClient(info).list_kernels()


def test_a_server_without_a_token_lets_us_in(tmp_path):
    with stock_server(tmp_path, token="") as server:
        client = JupyterClient(dataclasses.replace(server.info, token=None))
        assert client.delete_kernel(client.start_kernel("python3"))


def test_a_server_without_a_token_that_is_given_one_says_what_to_do(tmp_path):
    with (
        stock_server(tmp_path, token="") as server,
        pytest.raises(
            AuthError, match=r"refused our token\. Check it against .* or leave token= out if that was none\.$"
        ),
    ):
        JupyterClient(dataclasses.replace(server.info, token="abc")).start_kernel("python3")


def test_a_base_path(tmp_path):
    with stock_server(tmp_path, "--ServerApp.base_url=/user/ann") as server:
        info = JupyterConnectionInfo.from_url(f"{server.info.url}/user/ann/lab?token={server.info.token}")
        assert JupyterClient(info).list_kernels() == []
        with pytest.raises((RemoteProtocolError, AuthError)):
            JupyterClient(server.info).list_kernels()


def test_an_unknown_kernelspec_is_named_with_those_there_are(any_server):
    with pytest.raises(
        KernelSpecNotFound, match=r"Kernel nonexistent is not installed\. The server .* has these: bash,"
    ):
        JupyterClient(any_server.info).start_kernel("nonexistent")


def test_nothing_listens_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectError) as caught:
        JupyterClient(JupyterConnectionInfo("127.0.0.1", False, port)).list_kernels()
    assert str(caught.value) == (
        f"The Jupyter server at http://127.0.0.1:{port} cannot be reached: nothing listens there. Is it running, and are "
        "host and port right?"
    )


def test_no_such_host():
    with pytest.raises(ConnectError, match=r"there is no host of the name 'no\.such\.host\.invalid'"):
        JupyterClient(JupyterConnectionInfo("no.such.host.invalid", False, 80)).list_kernels()


def test_ipv6_and_a_name_that_has_several_addresses(any_server):
    with _listening(socket.AF_INET6, "::1") as port, pytest.raises(RemoteProtocolError, match="HTML page"):
        JupyterClient(JupyterConnectionInfo("::1", False, port)).list_kernels()
    info = dataclasses.replace(any_server.info, host="localhost")
    assert isinstance(JupyterClient(info).list_kernels(), list)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", RemoteProtocolError, "HTML"),
        (b"220 mail.example.com ESMTP\r\n\r\n", RemoteProtocolError, "does not speak HTTP"),
        (b"", ConnectError, "closed the connection without an answer"),
        (b"\x15\x03\x01\x00\x02\x02\x46", RemoteProtocolError, "does not speak HTTP"),
    ],
)
def test_what_is_no_jupyter_server(answer, kind, words):
    with _listening(answer=answer) as port, pytest.raises(kind, match=words):
        JupyterClient(JupyterConnectionInfo("127.0.0.1", False, port)).list_kernels()


@pytest.mark.parametrize("status", [b"204 No Content", b"200 OK"])
def test_an_answer_with_nothing_in_it(status):
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with _listening(answer=answer) as port:
        client = JupyterClient(JupyterConnectionInfo("127.0.0.1", False, port))
        for call in (client.list_kernels, client.list_kernel_specs, lambda: client.start_kernel("python3")):
            with pytest.raises(RemoteProtocolError, match="no JSON of Jupyter's"):
                call()


@pytest.mark.parametrize("proxy", ["socks5://user:geheim@127.0.0.1:1", "socks://user:geheim@127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used(monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigError, match=r"^The proxy that the environment names .* cannot be used") as caught:
        JupyterClient(JupyterConnectionInfo("server.invalid", False, 80))
    assert "geheim" not in str(caught.value)


def test_a_proxy_that_does_not_run_is_not_taken_for_the_server(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    info = JupyterConnectionInfo("server.invalid", False, 80)
    with pytest.raises(ConnectError, match="nothing listens at the proxy that the environment names"):
        JupyterClient(info).list_kernels()
    with pytest.raises(ConnectError, match="nothing listens at the proxy that the environment names"):
        asyncio.run(WebSocketTransport(info, "x").open())


@pytest.mark.parametrize("host", ["a" * 300, "a..b"])
def test_a_name_that_no_host_can_have(host):
    info = JupyterConnectionInfo(host, False, 80)
    with pytest.raises((ConfigError, ConnectError)):
        JupyterClient(info).list_kernels()
    with pytest.raises(ConnectError):
        asyncio.run(WebSocketTransport(info, "x").open())


def test_a_server_that_accepts_and_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        info = JupyterConnectionInfo("127.0.0.1", False, listener.getsockname()[1])
        with pytest.raises(ConnectError, match="does not answer"):
            JupyterClient(info, timeout=0.2).list_kernels()


def test_a_call_that_may_be_repeated_is_while_a_proxy_cannot_reach_the_server(caplog):
    caplog.set_level(logging.INFO)
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ready = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
    with _listening(answers=[busy, busy, ready]) as port:
        assert JupyterClient(JupyterConnectionInfo("127.0.0.1", False, port)).list_kernels() == []
    assert [record.levelname for record in caplog.records if "Asking again" in record.message] == ["INFO", "INFO"]
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    with _listening(answers=[busy, ready]) as port, pytest.raises(server_api.ServerBusyError, match="answered 503"):
        JupyterClient(JupyterConnectionInfo("127.0.0.1", False, port)).start_kernel("python3")


@contextlib.contextmanager
def _listening(family=socket.AF_INET, host="127.0.0.1", *, answer=None, answers=None):
    """A listener that gives each connection the next answer, or always the same."""
    html = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
    queue = list(answers or [])
    with socket.create_server((host, 0), family=family) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(queue.pop(0) if queue else (html if answer is None else answer))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory):
    """A stock server with a certificate of an authority that nobody knows."""
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    options = (f"--ServerApp.certfile={directory}/cert.pem", f"--ServerApp.keyfile={directory}/key.pem")
    with stock_server(directory / "root", *options, answers_http=False) as server:
        yield dataclasses.replace(server.info, use_https=True), ca_file


def test_tls_with_an_authority_of_ones_own(tls_server):
    info, ca_file = tls_server
    client = JupyterClient(dataclasses.replace(info, ca_file=ca_file))
    kernel_id = client.start_kernel("python3")

    async def open_and_close():
        transport = WebSocketTransport(client.connection_info, kernel_id)
        await transport.open()
        await transport.close()

    asyncio.run(open_and_close())
    assert client.delete_kernel(kernel_id)


def test_a_certificate_nobody_vouches_for(tls_server):
    info, _ = tls_server
    with pytest.raises(ConnectError, match=r"its certificate is not trusted \(.+\)\. Pass the PEM file .* as ca_file="):
        JupyterClient(info).list_kernels()
    with pytest.raises(ConnectError, match="its certificate is not trusted"):
        asyncio.run(WebSocketTransport(info, "x").open())


def test_a_certificate_that_is_not_looked_at(tls_server):
    info, _ = tls_server
    assert JupyterClient(dataclasses.replace(info, verify=False)).list_kernels() == []


def test_https_to_a_server_of_plain_http(jupyter_server):
    info = dataclasses.replace(jupyter_server.info, use_https=True)
    with pytest.raises(ConnectError, match=r"does not answer.*use_https=False"):
        JupyterClient(info, timeout=0.5).list_kernels()
    with pytest.raises(ConnectError, match="did not answer within"):
        asyncio.run(WebSocketTransport(info, "x", open_timeout=0.5).open())
    with _listening() as port, pytest.raises(ConnectError, match=r"does not answer in TLS .*use_https=False"):
        JupyterClient(dataclasses.replace(info, port=port)).list_kernels()


def test_plain_http_to_a_server_of_https(tls_server):
    info = dataclasses.replace(tls_server[0], use_https=False)
    with pytest.raises(ConnectError, match="use_https=True"):
        JupyterClient(info).list_kernels()


def test_an_authority_file_that_is_none(tmp_path):
    missing = JupyterConnectionInfo("h", True, ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match="ca_file must be a PEM file"):
        JupyterClient(missing)
    (tmp_path / "none.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="ca_file must be a PEM file"):
        JupyterClient(missing)


def test_autogens_kernel_client(any_server):
    client = JupyterClient(any_server.info)
    kernel_id = client.start_kernel("python3")
    try:
        with client.get_kernel_client(kernel_id) as kernel:
            assert kernel.wait_for_ready(timeout_seconds=30)
            assert kernel.execute("x = 6", 30).is_ok
            result = kernel.execute("from IPython.display import HTML\nprint(x * 7); HTML('<b>')", 30)
            assert (result.is_ok, result.output) == (True, "42\n<IPython.core.display.HTML object>\n")
            assert [(item.mime_type, item.data) for item in result.data_items] == [("text/html", "<b>")]
            failed = kernel.execute("1/0", 30)
            assert not failed.is_ok
            assert failed.output.startswith("ERROR: ZeroDivisionError: division by zero\n")
            slow = kernel.execute("import time; time.sleep(60)", 0.2)
            assert (slow.is_ok, slow.output) == (False, "ERROR: Timeout waiting for output from code block.")
            client.interrupt_kernel(kernel_id)
            assert kernel.wait_for_ready(timeout_seconds=30)
            assert kernel.execute("print(x)", 30).output == "6\n"
    finally:
        client.delete_kernel(kernel_id)
