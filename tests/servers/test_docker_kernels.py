"""The kernels of the bundled image: forked, perhaps before they are asked for, or plain where Python is too old for that."""

import pytest

from cellblock import Session
from cellblock.errors import ConfigError, ServerStartError
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.docker import DockerJupyterServer
from docker_engine import BUNDLED, build, bundled_image

__all__ = ["bundled_image"]

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("bundled_image")]

OLD_PYTHON = """\
FROM {bundled}
USER root
RUN cd /opt/cellblock && sed -i 's/^FORKS = .*/FORKS = False/' gateway.py && cp kernel.json venv/share/jupyter/kernels/python3/
USER 1000
"""
"""The image as it is made with a Python older than 3.11."""

PARENT = "import os; open(f'/proc/{os.getppid()}/comm').read().strip()"


def session_on(server):
    return Session(RemoteKernel(server.connection_info), timeout=60)


def test_they_are_forked():
    with DockerJupyterServer(**BUNDLED) as server, session_on(server) as session:
        assert session.run(PARENT).text == "'cellblock-forks'"


def test_they_wait_and_have_imported_packages():
    """The kernels that a fork server has are those that wait and those in use."""
    forked = "len(open(f'/proc/{os.getppid()}/task/{os.getppid()}/children').read().split())"
    with DockerJupyterServer(**BUNDLED, pool=2, preload=["wave"]) as server, session_on(server) as session:
        assert session.run("import os, sys; 'wave' in sys.modules").text == "True"
        waited = f"import time\nwhile {forked} != 3: time.sleep(0.01)"
        assert session.run(waited, timeout=20).ok
        assert session.run("[name for name in os.environ if name.startswith('CELLBLOCK')]").text == "[]"


def test_packages_that_must_not_be_preloaded_are_refused():
    with pytest.raises(ServerStartError, match="The packages cannot be preloaded: no_such_package cannot be imported"):
        DockerJupyterServer(**BUNDLED, preload=["no_such_package"])


def test_a_pool_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="The size of a pool must be a number of kernels"):
        DockerJupyterServer(**BUNDLED, pool=-1)


def test_with_an_old_python_they_are_plain_and_lose_nothing(bundled_image):
    image = build("cellblock-test-old-python:latest", OLD_PYTHON.format(bundled=bundled_image))
    with DockerJupyterServer(custom_image_name=image) as server, session_on(server) as session:
        assert session.run(PARENT).text == "'python'"
        result = session.run("for i in range(5000): display({'text/plain': str(i)}, raw=True)")
        assert len(result.outputs) == 5000
    with pytest.raises(ServerStartError, match=r"need Python 3\.11 or newer in the image"):
        DockerJupyterServer(custom_image_name=image, pool=1)
