"""The WebSocket transport against stock servers, with the network failing between."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket

import pytest

from cellblock._core.messages import Requests
from cellblock._core.websocket_framing import JsonFraming, V1Framing
from cellblock.errors import AuthError, ConnectError, Disconnected, RemoteProtocolError
from cellblock.servers.connection_info import JupyterConnectionInfo
from cellblock.transports.rest import AsyncJupyterClient, JupyterClient
from cellblock.transports.websocket import WebSocketTransport
from servers.fault_proxy import FaultProxy
from servers.stock import stock_gateway

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def kernel_on(info):
    async with AsyncJupyterClient(info) as client:
        kernel_id = await client.start_kernel("python3")
        try:
            yield kernel_id
        finally:
            await client.delete_kernel(kernel_id)


@contextlib.asynccontextmanager
async def connected(info, kernel_id, **options):
    transport = WebSocketTransport(info, kernel_id, **options)
    await transport.open()
    try:
        yield transport
    finally:
        await transport.close()


async def run(transport, code, *, until=30.0):
    """The messages of one cell, to its reply and its idle."""
    request = Requests().execute(code)
    await transport.send(request)
    messages = []
    missing = {"execute_reply", "idle"}
    async with asyncio.timeout(until):
        while missing:
            message = await transport.receive()
            if message.parent_id != request.msg_id:
                continue
            messages.append(message)
            missing.discard(message.msg_type)
            missing.discard(message.content.get("execution_state", ""))
    return messages


def printed(messages):
    return "".join(m.content["text"] for m in messages if m.msg_type == "stream")


async def test_a_cell_runs_on_every_kind_of_server(any_server):
    async with kernel_on(any_server.info) as kernel_id, connected(any_server.info, kernel_id) as transport:
        assert isinstance(transport._framing, V1Framing)
        messages = await run(transport, "print('hello'); 6 * 7")
        assert printed(messages) == "hello\n"
        assert [m.content["data"]["text/plain"] for m in messages if m.msg_type == "execute_result"] == ["42"]


async def test_a_server_without_the_v1_form_is_spoken_to_in_the_older_one(tmp_path):
    with stock_gateway(tmp_path, "--ZMQChannelsWebsocketConnection.kernel_ws_protocol=") as server:
        async with kernel_on(server.info) as kernel_id, connected(server.info, kernel_id) as transport:
            assert isinstance(transport._framing, JsonFraming)
            assert printed(await run(transport, "print('hello')")) == "hello\n"


async def test_messages_of_any_size_arrive(jupyter_server):
    async with kernel_on(jupyter_server.info) as kernel_id, connected(jupyter_server.info, kernel_id) as transport:
        messages = await run(
            transport, "from IPython.display import display; display({'text/plain': 'x' * 20_000_000}, raw=True)"
        )
        sizes = [len(m.content["data"]["text/plain"]) for m in messages if m.msg_type == "display_data"]
        assert sizes == [20_000_000]


async def test_small_frames_are_acknowledged_at_once(kernel_gateway):
    """By a heartbeat for each, so that neither we nor a proxy on the way delays the acknowledgement."""
    heartbeat = b"\x8a\x80"  # an empty pong of a client, before its mask
    info = kernel_gateway.info
    async with FaultProxy(info) as proxy, kernel_on(info) as kernel_id, connected(proxy.info, kernel_id) as transport:
        for number in range(1, 6):
            await run(transport, "1")
            assert proxy.sent.count(heartbeat) >= number


async def test_a_dropped_connection_is_made_again_and_nothing_that_was_kept_is_lost(jupyter_server):
    info = jupyter_server.info
    async with FaultProxy(info) as proxy, kernel_on(info) as kernel_id, connected(proxy.info, kernel_id) as transport:
        request = Requests().execute("input_done = 1\nimport time\nfor i in range(10):\n    print(i); time.sleep(.1)")
        resumed = []
        transport.on_resume = lambda: resumed.append(True)
        await transport.send(request)
        while (await transport.receive()).msg_type != "stream":
            pass
        await proxy.cut()
        text = "".join([m.content["text"] async for m in _rest_of(transport, request) if m.msg_type == "stream"])
        assert text.endswith("7\n8\n9\n")
        assert (transport.interruptions, resumed) == (1, [True])


async def _rest_of(transport, request):
    missing = {"execute_reply", "idle"}
    async with asyncio.timeout(30):
        while missing:
            message = await transport.receive()
            if message.parent_id == request.msg_id:
                missing -= {message.msg_type, message.content.get("execution_state")}
                yield message


async def test_a_message_sent_after_a_drop_goes_out_on_the_new_connection(jupyter_server):
    info = jupyter_server.info
    async with FaultProxy(info) as proxy, kernel_on(info) as kernel_id, connected(proxy.info, kernel_id) as transport:
        await run(transport, "x = 1")
        await proxy.cut()
        with contextlib.suppress(TimeoutError):  # let the client see the end of the connection
            async with asyncio.timeout(1):
                await transport._connection.wait_closed()
        assert printed(await run(transport, "print(x)")) == "1\n"
        assert transport.interruptions == 1


async def test_silence_is_noticed_and_cured(jupyter_server):
    info = jupyter_server.info
    options = {"ping_interval": 0.1, "silence_limit": 2}
    async with (
        FaultProxy(info) as proxy,
        kernel_on(info) as kernel_id,
        connected(proxy.info, kernel_id, **options) as transport,
    ):
        await run(transport, "x = 1")
        proxy.silence()
        proxy.connected.clear()
        receiving = asyncio.create_task(transport.receive())
        async with asyncio.timeout(10):
            await proxy.connected.wait()  # it gives the silent connection up
        proxy.resume()
        receiving.cancel()
        assert printed(await run(transport, "print(x)")) == "1\n"
        assert transport.interruptions == 1


async def test_pings_keep_a_connection_that_a_proxy_would_cut_for_idleness(jupyter_server):
    info = jupyter_server.info
    async with (
        FaultProxy(info, idle_limit=1.0) as proxy,
        kernel_on(info) as kernel_id,
        connected(proxy.info, kernel_id, ping_interval=0.2) as transport,
    ):
        await run(transport, "x = 1")
        for _ in range(10):  # two seconds of pongs and nothing else
            proxy.passed.clear()
            async with asyncio.timeout(5):
                await proxy.passed.wait()
        assert printed(await run(transport, "print(x)")) == "1\n"
        assert transport.interruptions == 0


async def test_a_server_that_vanished_is_an_error_soon_and_ever_after(jupyter_server):
    info = jupyter_server.info
    async with FaultProxy(info) as proxy, kernel_on(info) as kernel_id, connected(proxy.info, kernel_id) as transport:
        await run(transport, "1")
        await proxy.refuse()
        await proxy.cut()
        async with asyncio.timeout(6):  # of which the server may refuse us for 2
            with pytest.raises(Disconnected, match=r"dropped and could not be made again.*nothing listens"):
                await _until_the_end(transport)
            for _ in range(3):
                with pytest.raises(Disconnected):
                    await transport.receive()
                with pytest.raises(Disconnected):
                    await transport.send(Requests().execute("1"))


async def test_a_connection_that_cannot_be_made_again_in_time_ends(jupyter_server):
    info = jupyter_server.info
    async with (
        FaultProxy(info) as proxy,
        kernel_on(info) as kernel_id,
        connected(proxy.info, kernel_id, reconnect_timeout=0.5) as transport,
    ):
        proxy.silence()
        await proxy.cut()
        async with asyncio.timeout(5):
            with pytest.raises(Disconnected, match="did not answer within"):
                await _until_the_end(transport)


async def test_a_kernel_that_is_deleted_while_the_connection_is_down_is_named(jupyter_server):
    info = jupyter_server.info
    async with FaultProxy(info) as proxy, kernel_on(info) as kernel_id, connected(proxy.info, kernel_id) as transport:
        await run(transport, "1")
        JupyterClient(info).delete_kernel(kernel_id)
        await proxy.cut()
        async with asyncio.timeout(5):
            with pytest.raises(Disconnected, match=f"has no kernel {kernel_id}"):
                await _until_the_end(transport)


async def test_closing_wakes_the_receiver_and_may_be_repeated(jupyter_server):
    info = jupyter_server.info
    async with kernel_on(info) as kernel_id, connected(info, kernel_id) as transport:
        receiving = asyncio.create_task(_until_the_end(transport))
        await asyncio.sleep(0)
        await transport.close()
        await transport.close()
        with pytest.raises(Disconnected, match="was closed"):
            await receiving
        with pytest.raises(Disconnected, match="was closed"):
            await transport.send(Requests().execute("1"))


async def _until_the_end(transport):
    while True:
        await transport.receive()


async def test_a_transport_that_was_never_opened_says_so(jupyter_server):
    with pytest.raises(Disconnected, match="never opened"):
        await WebSocketTransport(jupyter_server.info, "x").receive()


async def test_a_wrong_token(any_server):
    info = dataclasses.replace(any_server.info, token="wrong")
    with pytest.raises(AuthError, match="refused our token") as caught:
        await WebSocketTransport(info, "00000000-0000-4000-8000-000000000000").open()
    assert "wrong" not in str(caught.value)


async def test_no_kernel_of_that_id(any_server):
    with pytest.raises(Disconnected, match="has no kernel 00000000-0000-4000-8000-000000000000"):
        await WebSocketTransport(any_server.info, "00000000-0000-4000-8000-000000000000").open()


async def test_nothing_listens_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectError, match="nothing listens there"):
        await WebSocketTransport(JupyterConnectionInfo("127.0.0.1", False, port), "x").open()


async def test_a_server_that_accepts_and_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        info = JupyterConnectionInfo("127.0.0.1", False, listener.getsockname()[1])
        with pytest.raises(ConnectError, match=r"did not answer within 0\.3 s"):
            await WebSocketTransport(info, "x", open_timeout=0.3).open()


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
            RemoteProtocolError,
            "HTML page",
        ),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", ConnectError, "answered 502"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", RemoteProtocolError, "HTTP 500"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ConnectError, "cannot be reached"),
        (b"", ConnectError, "cannot be reached"),
    ],
)
async def test_what_is_no_jupyter_server(answer, kind, words):
    async with answering(answer) as info:
        with pytest.raises(kind, match=words):
            await WebSocketTransport(info, "x").open()


@contextlib.asynccontextmanager
async def answering(answer):
    """A listener that says one thing to everybody."""

    async def serve(reader, writer):
        await reader.read(65536)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield JupyterConnectionInfo("127.0.0.1", False, server.sockets[0].getsockname()[1])
