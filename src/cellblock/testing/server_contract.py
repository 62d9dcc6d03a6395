"""What an executor relies on in a Jupyter server, as tests that every server must pass."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import pytest

from cellblock.coding.base import CodeBlock, IPythonCodeResult
from cellblock.coding.jupyter.executor import JupyterCodeExecutor
from cellblock.errors import AuthError
from cellblock.servers.connection_info import JupyterConnectable, JupyterConnectionInfo
from cellblock.transports.rest import JupyterClient

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ServerContract"]


class ServerContract:
    """The contract of a Jupyter server with ipykernel as "python3". Override the fixture ``server``.

    Attributes:
        limits_output: Whether the server drops output that comes too fast, as stock servers do.
    """

    limits_output: ClassVar[bool] = False

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> JupyterConnectable:
        """Gives the running server."""
        raise NotImplementedError

    def test_it_says_where_it_is(self, server: JupyterConnectable) -> None:
        """Executors and clients take it as it is."""
        assert isinstance(server, JupyterConnectable)
        assert isinstance(server.connection_info, JupyterConnectionInfo)

    def test_it_knows_the_python_kernel(self, server: JupyterConnectable) -> None:
        """Under the name that executors ask for unless told otherwise."""
        assert "python3" in JupyterClient(server.connection_info).list_kernel_specs()["kernelspecs"]

    def test_executors_have_kernels_of_their_own(self, server: JupyterConnectable, tmp_path: Path) -> None:
        """State stays within one executor, and its kernel ends with it."""
        client = JupyterClient(server.connection_info)
        before = {kernel["id"] for kernel in client.list_kernels()}
        with (
            JupyterCodeExecutor(server, output_dir=tmp_path) as one,
            JupyterCodeExecutor(server, output_dir=tmp_path) as other,
        ):
            run(one, "x = 1")
            run(other, "x = 2")
            assert run(one, "x").output == "1"
            assert len({kernel["id"] for kernel in client.list_kernels()} - before) == 2
        assert {kernel["id"] for kernel in client.list_kernels()} <= before

    def test_large_output_is_complete_or_said_not_to_be(self, server: JupyterConnectable, tmp_path: Path) -> None:
        """Two megabytes at once and then some more."""
        with JupyterCodeExecutor(server, output_dir=tmp_path, output_budget=None) as executor:
            result = run(executor, "for _ in range(20): print('x' * 100_000, flush=True)")
        complete = result.output.count("x") >= 2_000_000
        assert complete or self.limits_output
        assert complete is not result.cells[0].incomplete.startswith("The output is incomplete")

    def test_a_wrong_token_is_refused(self, server: JupyterConnectable) -> None:
        """A server of somebody's own machine is open to all its users."""
        wrong = dataclasses.replace(server.connection_info, token="wrong")  # noqa: S106
        with pytest.raises(AuthError):
            JupyterClient(wrong).list_kernels()


def run(executor: JupyterCodeExecutor, code: str) -> IPythonCodeResult:
    """What a block of Python came to."""
    return executor.execute_code_blocks([CodeBlock(code=code, language="python")])
