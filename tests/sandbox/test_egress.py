"""The way out of a sandbox: to allowed hosts only, and saying why not to others."""

import asyncio
import base64
import hashlib
import logging
import re
import socket
import ssl
import zipfile

import pytest

from cellblock.kernels.sandbox.allowed_hosts import AllowedHosts
from cellblock.kernels.sandbox.egress import EgressProxy, HostRequest
from sandbox.tls_server import serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "hello.txt").write_text("hello")
    return tmp_path / "served"


@pytest.fixture
def server(folder):
    yield from serving(folder)


@pytest.fixture
def plain_server(folder):
    yield from serving(folder, tls=False)


@pytest.fixture
def decisions():
    return []


@pytest.fixture
async def proxy(decisions, anyio_backend, server, plain_server):  # noqa: ARG001 - what runs an asynchronous fixture
    """The address of a proxy that allows both servers by one of their names."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    names = [f"localhost:{server.port}", f"localhost:{plain_server.port}", "127.0.0.1"]
    running = EgressProxy(listener, AllowedHosts(names), decisions.append)
    yield address
    running.close()
    await asyncio.sleep(0.05)  # for its tasks to have ended


async def _ask(proxy, request):
    reader, writer = await asyncio.open_connection(*proxy)
    try:
        writer.write(request)
        return (await asyncio.wait_for(reader.read(), 10)).decode("latin-1")
    finally:
        writer.close()


async def _tunnel(proxy, target, *, server_name, authority):
    """What https://target/hello.txt answers through the proxy, when the client asks TLS for a name."""
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = server_name is not None
    reader, writer = await asyncio.open_connection(*proxy)
    try:
        writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1")
        if " 200 " not in head:
            return head
        await asyncio.wait_for(writer.start_tls(context, server_hostname=server_name), 10)
        writer.write(b"GET /hello.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await asyncio.wait_for(reader.read(), 10)).decode("latin-1")
    finally:
        writer.close()


async def test_an_allowed_host_is_reached_by_https(proxy, server, decisions):
    answer = await _tunnel(proxy, f"localhost:{server.port}", server_name="localhost", authority=server.authority)
    assert answer.endswith("hello")
    assert [(d.target, d.refused) for d in decisions] == [(f"localhost:{server.port}", "")]


async def test_an_allowed_host_is_reached_by_http(proxy, plain_server):
    request = f"GET http://localhost:{plain_server.port}/hello.txt HTTP/1.1\r\nHost: evil.example\r\nProxy-X: 1\r\n\r\n"
    answer = await _ask(proxy, request.encode())
    assert answer.startswith("HTTP/1.1 200")
    assert answer.endswith("hello")


async def test_another_host_is_refused_by_name(proxy, decisions, caplog):
    with caplog.at_level(logging.INFO, "cellblock"):
        answer = await _ask(proxy, b"CONNECT example.com:443 HTTP/1.1\r\n\r\n")
    assert answer.startswith("HTTP/1.1 403 Blocked by cellblock (example.com is not in allow_hosts)\r\n")
    assert decisions[-1].refused == "Blocked by cellblock (example.com is not in allow_hosts)"
    assert "A sandbox was refused example.com" in caplog.text


async def test_tls_for_another_name_is_cut_off(proxy, server, decisions):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await _tunnel(proxy, f"localhost:{server.port}", server_name="other.example", authority=server.authority)
    assert "TLS for another host than localhost" in decisions[-1].refused


async def test_what_is_not_tls_is_cut_off(proxy, server, decisions):
    request = f"CONNECT localhost:{server.port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = await _ask(proxy, request.encode())
    assert answer == "HTTP/1.1 200 Connection established\r\n\r\n"
    assert "that is not TLS" in decisions[-1].refused


async def test_another_port_is_refused(proxy, plain_server):
    answer = await _ask(proxy, f"CONNECT localhost:{plain_server.port + 1} HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith("HTTP/1.1 403 ")


async def test_a_name_for_a_private_address_is_refused(server, decisions):
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    running = EgressProxy(listener, AllowedHosts([f"localhost:{server.port}"]), decisions.append)
    answer = await _ask(address, f"CONNECT localhost:{server.port} HTTP/1.1\r\n\r\n".encode())
    running.close()
    await asyncio.sleep(0.05)
    assert answer.startswith("HTTP/1.1 403 Blocked by cellblock (localhost")
    assert "has a private address" in answer


async def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_the_one_connected_to(server, monkeypatch):
    """A name that stands for another address a moment later leads nobody there."""
    looked_up = []
    real = socket.getaddrinfo

    def resolve(host, *rest, **options):
        if host != "other.example":
            return real(host, *rest, **options)
        looked_up.append(host)
        return real("127.0.0.1" if len(looked_up) == 1 else "192.0.2.1", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    running = EgressProxy(listener, AllowedHosts([f"*.example:{server.port}", "127.0.0.1"]), None)
    answer = await _tunnel(
        address, f"other.example:{server.port}", server_name="other.example", authority=server.authority
    )
    running.close()
    await asyncio.sleep(0.05)
    assert answer.endswith("hello")
    assert looked_up == ["other.example"]


async def test_a_name_of_nobody_is_said_to_be_none(decisions):
    listener = socket.create_server(("127.0.0.1", 0))
    running = EgressProxy(listener, AllowedHosts(["nobody.invalid"]), decisions.append)
    answer = await _ask(listener.getsockname(), b"CONNECT nobody.invalid:443 HTTP/1.1\r\n\r\n")
    running.close()
    await asyncio.sleep(0.05)
    assert answer.startswith("HTTP/1.1 502 nobody.invalid has no address")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", "400"),
        (b"CONNECT localhost HTTP/1.1\r\n\r\n", "400"),
        (b"GET /path HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"),
        (b"GET file:///etc/passwd HTTP/1.1\r\n\r\n", "400"),
        (b"GET http://localhost:999999/ HTTP/1.1\r\n\r\n", "400"),
        (b"CONNECT \xff\xff:443 HTTP/1.1\r\n\r\n", "400"),
        (b"GET http://" + b"a" * 100_000 + b"/ HTTP/1.1\r\n\r\n", "431"),
    ],
)
async def test_broken_requests_are_refused(proxy, request_, status):
    assert (await _ask(proxy, request_)).startswith(f"HTTP/1.1 {status} ")


async def test_many_idle_connections_do_not_stop_it(proxy, server):
    held = [await asyncio.open_connection(*proxy) for _ in range(60)]
    answer = await _tunnel(proxy, f"localhost:{server.port}", server_name="localhost", authority=server.authority)
    assert answer.endswith("hello")
    for _, writer in held:
        writer.close()


def _serve_package(folder):
    """Puts a package index with one small package into the folder."""
    wheel = folder / "cbtiny-1.0-py3-none-any.whl"
    files = {
        "cbtiny.py": "ANSWER = 42\n",
        "cbtiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: cbtiny\nVersion: 1.0\n",
        "cbtiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for name, text in files.items()
    )
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, "cbtiny-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    (folder / "simple" / "cbtiny").mkdir(parents=True)
    (folder / "simple" / "cbtiny" / "index.html").write_text(f'<a href="/{wheel.name}">{wheel.name}</a>')


async def test_pip_installs_from_allowed_hosts_into_the_workspace(make_session, server, folder, tmp_path):
    _serve_package(folder)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "authority.pem").write_bytes(server.authority.read_bytes())
    index = f"--index-url https://localhost:{server.port}/simple/ --cert authority.pem"
    hosts = [f"localhost:{server.port}", "127.0.0.1"]
    async with make_session(workspace=workspace, allow_hosts=hosts) as session:
        installed = await session.run(f"%pip install {index} cbtiny", timeout=60)
        assert "Successfully installed cbtiny-1.0" in installed.text
        assert (await session.run("import cbtiny\ncbtiny.ANSWER")).text == "42"
        program = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import cbtiny']).returncode"
        assert (await session.run(program)).text == "0"
    assert (workspace / ".site" / "cbtiny.py").exists()


async def test_pip_without_network_fails_at_once_and_says_why(session):
    result = await session.run("%pip install cbtiny", timeout=30)
    assert re.search(r"403 Blocked by cellblock \(\S+ is not in allow_hosts\)", result.text)
    assert result.text.count("Retrying (") <= 1


async def test_a_program_that_knows_no_proxy_reaches_nothing(make_session, server):
    async with make_session(allow_hosts=[f"localhost:{server.port}", "127.0.0.1"]) as session:
        result = await session.run(f"import socket\nsocket.create_connection(('127.0.0.1', {server.port}))")
        assert result.error.ename == "ConnectionRefusedError"


async def test_what_was_asked_for_is_told_to_the_caller(make_session):
    asked = []
    async with make_session(on_request=asked.append) as session:
        result = await session.run("import urllib.request\nurllib.request.urlopen('https://example.com/')")
    blocked = "Blocked by cellblock (example.com is not in allow_hosts)"
    assert asked == [HostRequest("example.com", refused=blocked)]
    assert blocked in result.text  # so that whoever wrote the code knows


async def test_a_listener_that_fails_changes_nothing_for_the_code(caplog):
    def fail(_):
        raise RuntimeError("the listener's own")

    listener = socket.create_server(("127.0.0.1", 0))
    running = EgressProxy(listener, AllowedHosts([]), fail)
    answer = await _ask(listener.getsockname(), b"CONNECT example.com:443 HTTP/1.1\r\n\r\n")
    running.close()
    await asyncio.sleep(0.05)
    assert answer.startswith("HTTP/1.1 403 ")
    assert "the listener's own" in caplog.text
