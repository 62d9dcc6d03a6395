"""A session's way to its kernel, where cellblock itself is at fault."""

import asyncio

import pytest

from cellblock._core.messages import Requests
from cellblock.connection import Connection
from cellblock.kernels.local import LocalKernel

pytestmark = pytest.mark.anyio


async def test_a_message_that_cannot_be_taken_ends_the_connection_and_is_logged(caplog):
    ended = asyncio.get_running_loop().create_future()

    def take(_):
        raise RuntimeError("ours")

    connection = Connection(LocalKernel(), on_message=take, on_end=ended.set_result)
    await connection.ensure()
    await connection.send(Requests().execute("1"))
    async with asyncio.timeout(30):
        why = await ended
    assert why == "cellblock could not read what the kernel sent (RuntimeError: ours), so the kernel was given up."
    assert not connection.live
    assert "What a kernel sent could not be taken." in caplog.text
    await connection.close()
