"""What executors rely on in a server, of servers as their makers ship them."""

import types

import pytest

from cellblock.testing import ServerContract


class TestJupyterServer(ServerContract):
    limits_output = True

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, jupyter_server):
        return types.SimpleNamespace(connection_info=jupyter_server.info)


class TestKernelGateway(ServerContract):
    limits_output = True

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, kernel_gateway):
        return types.SimpleNamespace(connection_info=kernel_gateway.info)
