"""The contract of a cell through Jupyter servers as their makers ship them, plain and over TLS."""

from typing import ClassVar

import pytest

from cellblock._core.shell_failure import shell_outcome
from cellblock.block_cells import to_cell
from cellblock.kernels.remote import RemoteKernel
from cellblock.testing import SessionContract
from servers.stock import stock_gateway, stock_server


class _Stock(SessionContract):
    """What is true of every stock server: its kernels are plain ipykernels, and it looks for dead ones every 3 seconds."""

    own_kernel: ClassVar[bool] = False
    server_limits_rate: ClassVar[bool] = True
    death_notice: ClassVar[float] = 8.0
    grace: ClassVar[float] = 5.0

    def test_a_shell_block_needs_nothing_of_ours_in_the_kernel(self, session):
        code = 'read x\necho "got $x"; echo problem >&2\nsleep 1000 & echo $! > left; exit 3'
        result, exit_code = shell_outcome(session.run(to_cell(code, "bash")), "bash")
        session.run("import os, pathlib; os.kill(int(pathlib.Path('left').read_text()), 9); os.unlink('left')")
        assert (exit_code, result.error) == (3, None)
        assert sorted((output.name, output.text) for output in result.outputs) == [
            ("stderr", "problem\n"),
            ("stdout", "got \n"),
        ]

    def test_a_shell_block_ends_at_its_deadline(self, session):
        result, exit_code = shell_outcome(session.run(to_cell("echo a; sleep 1000", "sh"), timeout=1), "sh")
        assert (exit_code, result.error, result.state_kept) == (124, None, True)
        assert result.text.startswith("a\nTimeout: ")


class TestJupyterServer(_Stock):
    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls, tmp_path_factory):
        with stock_server(tmp_path_factory.mktemp("jupyter-server")) as server:
            yield lambda: RemoteKernel(server.info)


class TestKernelGateway(_Stock):
    """With its default rate limits, which lose output: the result must say so."""

    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls, tmp_path_factory):
        with stock_gateway(tmp_path_factory.mktemp("kernel-gateway")) as server:
            yield lambda: RemoteKernel(server.info)
