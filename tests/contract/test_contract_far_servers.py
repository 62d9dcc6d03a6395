"""The contract of a cell on servers one reaches over a network: with TLS, and behind JupyterHub's proxy."""

import dataclasses
from typing import ClassVar

import pytest
import trustme

from cellblock.kernels.remote import RemoteKernel
from cellblock.testing import SessionContract
from servers.hub import jupyterhub, proxy_command
from servers.stock import stock_server


class _Far(SessionContract):
    """Stock servers with plain ipykernels behind them."""

    own_kernel: ClassVar[bool] = False
    server_limits_rate: ClassVar[bool] = True
    death_notice: ClassVar[float] = 8.0
    grace: ClassVar[float] = 5.0


class TestTls(_Far):
    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("tls")
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        with stock_server(folder / "root", f"--ServerApp.certfile={folder}/server.pem", answers_http=False) as server:
            info = dataclasses.replace(server.info, use_https=True, ca_file=folder / "ca.pem")
            yield lambda: RemoteKernel(info)


@pytest.mark.skipif(
    proxy_command() is None, reason="JupyterHub's proxy is not installed: npm install configurable-http-proxy"
)
class TestJupyterHub(_Far):
    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls, tmp_path_factory):
        with jupyterhub(tmp_path_factory.mktemp("hub")) as info:
            yield lambda: RemoteKernel(info)
