"""The contract of a cell in containers: of the bundled image, and of a custom one that has a stock gateway."""

from typing import ClassVar

import pytest

from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.docker import DockerJupyterServer
from cellblock.testing import SessionContract
from docker_engine import BUNDLED, bundled_image, stock_image

__all__ = ["bundled_image", "stock_image"]

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("bundled_image")]


class TestBundledImage(SessionContract):
    """Its kernels are those of a local server of ours."""

    death_notice: ClassVar[float] = 3.0
    grace: ClassVar[float] = 5.0

    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls):
        with DockerJupyterServer(**BUNDLED) as server:
            yield lambda: RemoteKernel(server.connection_info)


class TestCustomImage(SessionContract):
    """A gateway with default rate limits, which loses output and looks for dead kernels every 3 seconds."""

    own_kernel: ClassVar[bool] = False
    server_limits_rate: ClassVar[bool] = True
    death_notice: ClassVar[float] = 8.0
    grace: ClassVar[float] = 5.0

    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls, stock_image):
        with DockerJupyterServer(custom_image_name=stock_image) as server:
            yield lambda: RemoteKernel(server.connection_info)
