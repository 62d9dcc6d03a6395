"""The transport over ZMQ: its contract, and what only it can do."""

import asyncio
import contextlib

import pytest
import zmq

from cellblock._core.messages import Requests
from cellblock._core.wire import DELIMITER, Signer, serialize
from cellblock.errors import Disconnected, RemoteProtocolError
from cellblock.kernels.launch import ConnectionFileLauncher, DescriptorLauncher
from cellblock.kernels.local import LocalKernel
from cellblock.testing import TransportContract
from cellblock.testing.transport_contract import answered, until
from cellblock.transports.zmq import ZmqTransport

KEY = b"secret"
CHANNELS = ("shell", "control", "stdin", "iopub")


@contextlib.asynccontextmanager
async def connected(launcher):
    kernel = LocalKernel(launcher=launcher)
    try:
        yield await kernel.start()
    finally:
        await kernel.stop()


class TestOverDescriptors(TransportContract):
    @pytest.fixture(scope="class")
    @classmethod
    def connect(cls):
        return lambda: connected(DescriptorLauncher())


class TestOverTcp(TransportContract):
    @pytest.fixture(scope="class")
    @classmethod
    def connect(cls):
        return lambda: connected(ConnectionFileLauncher())


class Peer:
    """The other side of a transport: the sockets of a kernel, without a kernel."""

    def __init__(self, endpoints):
        self._context = zmq.Context()
        self.sockets = {
            channel: self._context.socket(zmq.XPUB if channel == "iopub" else zmq.ROUTER) for channel in endpoints
        }
        for channel, peer in self.sockets.items():
            peer.linger = 0
            peer.sndhwm = 0
            peer.bind(endpoints[channel])

    def publish(self, *frames):
        self.sockets["iopub"].send_multipart(frames)

    def close(self):
        for peer in self.sockets.values():
            peer.close()
        self._context.term()


@contextlib.asynccontextmanager
async def facing_each_other(folder):
    """A transport and the sockets it is connected to."""
    endpoints = {channel: f"ipc://{folder}/{channel}" for channel in CHANNELS}
    transport = ZmqTransport(endpoints, KEY)
    peer = Peer(endpoints)
    try:
        await asyncio.to_thread(peer.sockets["iopub"].recv)  # the subscription
        yield transport, peer
    finally:
        await transport.close()
        peer.close()


def frames(text="hello"):
    message = Requests().make("stream", {"text": text}, channel="iopub")
    return [b"topic", *serialize(message, Signer(KEY))]


@pytest.mark.anyio
async def test_what_is_no_message_of_the_kernel_is_refused_and_reading_goes_on(tmp_path):
    async with facing_each_other(tmp_path) as (transport, peer):
        good = frames()
        peer.publish(b"garbage")
        peer.publish(*good[:2], b"0" * 64, *good[3:])
        peer.publish(DELIMITER, b"", b"{", b"{}", b"{}", b"{}")
        peer.publish(*good)
        for expected in ("not framed", "wrong signature", "wrong signature"):
            with pytest.raises(RemoteProtocolError, match=expected):
                await transport.receive()
        assert (await transport.receive()).content == {"text": "hello"}


@pytest.mark.anyio
async def test_nothing_is_dropped_while_nobody_reads(tmp_path):
    """Ten times ZMQ's default for a full queue."""
    async with facing_each_other(tmp_path) as (transport, peer):
        for number in range(10_000):
            peer.publish(*frames(str(number)))
        received = [(await transport.receive()).content["text"] for _ in range(10_000)]
    assert received == [str(number) for number in range(10_000)]


@pytest.mark.anyio
async def test_what_arrived_before_the_end_is_handed_out_first(tmp_path):
    async with facing_each_other(tmp_path) as (transport, peer):
        for number in range(100):
            peer.publish(*frames(str(number)))
        assert (await transport.receive()).content["text"] == "0"
        peer.sockets["iopub"].close(linger=1000)
        received = [(await transport.receive()).content["text"] for _ in range(99)]
        assert received[-1] == "99"
        with pytest.raises(Disconnected):
            await transport.receive()


@pytest.mark.anyio
async def test_a_transport_may_be_there_before_its_kernel(tmp_path):
    """Connecting waits for nobody: what is sent before the kernel listens arrives when it does."""
    endpoints = {channel: f"ipc://{tmp_path}/{channel}" for channel in CHANNELS}
    transport = ZmqTransport(endpoints, KEY)
    await transport.send(Requests().make("kernel_info_request", {}))
    peer = Peer(endpoints)
    try:
        identity, *rest = await asyncio.to_thread(peer.sockets["shell"].recv_multipart)
        assert identity
        assert rest[0] == DELIMITER
    finally:
        await transport.close()
        peer.close()


@pytest.mark.anyio
async def test_shell_and_stdin_have_one_identity(tmp_path):
    """That is how a kernel finds whom to ask."""
    async with facing_each_other(tmp_path) as (transport, peer):
        await transport.send(Requests().make("kernel_info_request", {}))
        await transport.send(Requests().make("input_reply", {}, channel="stdin"))
        shell, stdin = [await asyncio.to_thread(peer.sockets[c].recv_multipart) for c in ("shell", "stdin")]
        assert shell[0] == stdin[0]


@pytest.mark.anyio
async def test_the_end_of_a_kernel_ends_its_transport():
    kernel = LocalKernel()
    transport = await kernel.start()
    try:
        request = Requests().execute("print('last', flush=True); import os; os._exit(3)")
        await transport.send(request)
        said = []
        with pytest.raises(Disconnected):
            await until(transport, said.append)
        assert [m.content["text"] for m in said if m.msg_type == "stream"] == ["last\n"]
        assert await kernel.died == "The kernel exited with code 3."
    finally:
        await kernel.stop()


def all_answered(requests):
    over = [answered(request) for request in requests]
    return lambda message: min(each(message) for each in over)  # each of them must see it


@pytest.mark.anyio
async def test_sending_reads_what_had_arrived():
    """ZMQ's descriptor tells of a change once; a send may take that notice away from a receive."""
    kernel = LocalKernel()
    transport = await kernel.start()
    try:
        for _ in range(100):
            requests = [Requests().make("kernel_info_request", {}) for _ in range(3)]
            for request in requests:
                await transport.send(request)
            async with asyncio.timeout(10):
                await until(transport, all_answered(requests))
    finally:
        await kernel.stop()


@pytest.mark.anyio
async def test_a_closed_transport_leaves_no_descriptor(tmp_path):
    """The guard of all tests counts them; this one makes many."""
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with facing_each_other(folder) as (transport, peer):
            peer.publish(*frames())
            await transport.receive()
    assert not [s for s in tmp_path.rglob("*") if s.is_file()]


def test_only_the_loop_of_its_making_is_used():
    with pytest.raises(RuntimeError, match="no running event loop"):
        ZmqTransport(dict.fromkeys(CHANNELS, "ipc:///nowhere"), KEY)
