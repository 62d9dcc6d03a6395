"""The engine and the images that the Docker tests use, for ``from docker_engine import …`` in a test module.

The base image is Debian with python3 and its venv module; the script that makes the engine ready makes it too.
"""

import contextlib
import io
import os

import pytest

from cellblock.errors import CellblockError
from cellblock.servers.docker_engine import connect_engine
from cellblock.servers.docker_image import DEFAULT_DOCKERFILE, provide_image

BASE_IMAGE = "cellblock-test-base:latest"
BUNDLED = {"base_image": BASE_IMAGE, "build_network": "host"}
"""How a test makes a server of the bundled image."""

STOCK_DOCKERFILE = """\
FROM {bundled}
RUN rm -r /opt/cellblock/*.py /opt/cellblock/venv/share/jupyter/kernels && python -m ipykernel install --sys-prefix
ENV TOKEN="UNSET"
ENTRYPOINT []
CMD exec python -m jupyter kernelgateway --KernelGatewayApp.ip=0.0.0.0 --KernelGatewayApp.port=8888 \
--KernelGatewayApp.auth_token="$TOKEN" --JupyterApp.answer_yes=true --JupyterWebsocketPersonality.list_kernels=true
"""
"""A gateway as its makers ship it, started as the contract of custom images wants it."""


@contextlib.contextmanager
def engine_client():
    """The engine's client, closed at the end: its connections stay open until then, and more are opened with use.

    Without an engine the test is skipped, but not in CI.
    """
    try:
        client = connect_engine()
    except CellblockError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with contextlib.closing(client):
        yield client


@pytest.fixture
def engine():
    """The engine's client."""
    with engine_client() as client:
        yield client


@pytest.fixture(scope="session")
def bundled_image():
    """The name of the bundled image on the tests' base, built if it is not there."""
    with engine_client() as client:
        return provide_image(client, DEFAULT_DOCKERFILE, BASE_IMAGE, network="host", on_build=None).tags[0]


@pytest.fixture(scope="session")
def stock_image(bundled_image):
    """The name of an image that has nothing of ours in it."""
    return build("cellblock-test-stock-gateway:latest", STOCK_DOCKERFILE.format(bundled=bundled_image))


def build(tag, dockerfile):
    """Builds an image of a Dockerfile that copies nothing, and gives its name."""
    with engine_client() as client:
        client.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=tag, rm=True, forcerm=True)
    return tag


def exists(engine, name):
    """Whether there is a container of that name, running or not."""
    return bool(engine.containers.list(all=True, filters={"name": f"^/?{name}$"}, ignore_removed=True))
