"""The contract of a cell through Jupyter servers as their makers ship them, plain and over TLS."""

from typing import ClassVar

import pytest

from cellblock.kernels.remote import RemoteKernel
from cellblock.testing import SessionContract
from servers.stock import stock_gateway, stock_server


class _Stock(SessionContract):
    """What is true of every stock server: its kernels are plain ipykernels, and it looks for dead ones every 3 seconds."""

    own_kernel: ClassVar[bool] = False
    server_limits_rate: ClassVar[bool] = True
    death_notice: ClassVar[float] = 8.0
    grace: ClassVar[float] = 5.0


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
