"""What Jupyter servers rely on in a kernel provisioner, as tests that every provisioner must pass.

They go through jupyter_client, as a server does. Source: "Customizing the kernel's runtime environment"
(https://jupyter-client.readthedocs.io/en/stable/provisioning.html).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

__all__ = ["ProvisionerContract"]

_WITHIN = 60  # seconds any test may take


class ProvisionerContract:
    """The contract of a provisioner of Python kernels. Override the fixture ``kernel_name``."""

    @pytest.fixture(scope="class")
    @classmethod
    def kernel_name(cls) -> str:
        """Gives the name of a kernelspec whose metadata names the provisioner."""
        raise NotImplementedError

    def test_a_kernel_runs_code_where_it_was_told_to(self, kernel_name: str, tmp_path: Path) -> None:
        """In the folder and with the environment variables that the server asks for."""

        async def scenario() -> None:
            environment = {**os.environ, "ASKED_FOR": "this"}
            async with kernel(kernel_name, cwd=str(tmp_path), env=environment) as (_, client):
                assert await evaluate(client, "__import__('os').getcwd()") == repr(str(tmp_path))
                assert await evaluate(client, "__import__('os').environ['ASKED_FOR']") == "'this'"

        play(scenario)

    def test_an_interrupt_reaches_the_code(self, kernel_name: str) -> None:
        """The cell raises KeyboardInterrupt and the kernel stays."""

        async def scenario() -> None:
            async with kernel(kernel_name) as (manager, client):
                # An error may abort what comes right after it; that is no part of this.
                code = "print('began', flush=True); import time; time.sleep(1000)"
                request = client.execute(code, stop_on_error=False)
                while (await client.get_iopub_msg())["content"].get("text") != "began\n":
                    pass
                await manager.interrupt_kernel()
                while (reply := await client.get_shell_msg())["parent_header"]["msg_id"] != request:
                    pass
                assert reply["content"]["ename"] == "KeyboardInterrupt"
                assert await evaluate(client, "1 + 1") == "2"

        play(scenario)

    def test_a_restart_gives_a_fresh_kernel(self, kernel_name: str) -> None:
        """On the same connection, as clients of a server expect."""

        async def scenario() -> None:
            async with kernel(kernel_name) as (manager, client):
                before = await evaluate(client, "__import__('os').getpid()")
                await manager.restart_kernel(now=True)
                await client.wait_for_ready()
                assert await evaluate(client, "__import__('os').getpid()") != before

        play(scenario)

    def test_a_death_is_noticed(self, kernel_name: str) -> None:
        """Servers ask whether it is alive, and start it again."""

        async def scenario() -> None:
            async with kernel(kernel_name) as (manager, client):
                assert await manager.is_alive()
                client.execute("import os; os._exit(3)")
                while await manager.is_alive():  # noqa: ASYNC110 - it announces itself in no other way
                    await asyncio.sleep(0.01)

        play(scenario)

    @pytest.mark.parametrize("now", [False, True], ids=["asked", "killed"])
    def test_a_kernel_that_is_shut_down_is_gone(self, kernel_name: str, now: bool) -> None:
        """The process has ended when the call returns."""

        async def scenario() -> None:
            async with kernel(kernel_name) as (manager, client):
                pid = int(await evaluate(client, "__import__('os').getpid()"))
                await manager.shutdown_kernel(now=now)
                assert not await manager.is_alive()
                with pytest.raises(ProcessLookupError):
                    os.kill(pid, 0)

        play(scenario)


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    """Runs a scenario within its time."""

    async def within_time() -> None:
        async with asyncio.timeout(_WITHIN):
            await scenario()

    asyncio.run(within_time())


@asynccontextmanager
async def kernel(name: str, **options: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A kernel as a server starts it, and a client of it."""
    from jupyter_client.manager import AsyncKernelManager

    manager = AsyncKernelManager(kernel_name=name)
    await manager.start_kernel(**options)
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready()
        yield manager, client
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


async def evaluate(client: Any, expression: str) -> str:
    """The value of an expression in the kernel, as text."""
    reply = await client.execute("", user_expressions={"value": expression}, reply=True)
    return str(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])
