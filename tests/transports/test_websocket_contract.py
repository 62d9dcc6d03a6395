"""The contract of a transport, through stock servers."""

import contextlib

import pytest

from cellblock.kernels.remote import RemoteKernel
from cellblock.testing import TransportContract


@contextlib.asynccontextmanager
async def connected(info):
    kernel = RemoteKernel(info)
    try:
        yield await kernel.start()
    finally:
        await kernel.stop()


class TestThroughAServer(TransportContract):
    @pytest.fixture(scope="class")
    @classmethod
    def connect(cls, any_server):
        return lambda: connected(any_server.info)
