"""The contract of a cell on kernels that were forked, and on some that had waited to be used."""

import contextlib

import pytest

from cellblock.kernels.forkserver.client import fork_server
from cellblock.kernels.forkserver.fork import surroundings
from cellblock.kernels.forkserver.launcher import ForkLauncher
from cellblock.kernels.forkserver.spare import Spare
from cellblock.kernels.local import LocalKernel
from cellblock.testing import SessionContract


class TestForked(SessionContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls):
        return lambda: LocalKernel("python3", launcher=ForkLauncher())


class SpareLauncher:
    """As a pool's, without what the pool keeps between tests."""

    greets = True

    @contextlib.asynccontextmanager
    async def launch(self, spec, cwd, env):  # noqa: ARG002 - the shape of a Launcher
        with contextlib.closing(Spare(fork_server())) as spare:
            yield await spare.take(surroundings(cwd, env))

    def close(self):
        pass


class TestSpare(SessionContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls):
        return lambda: LocalKernel("python3", launcher=SpareLauncher())
