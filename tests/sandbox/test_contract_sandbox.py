"""The contract of a cell, in a sandbox."""

import pytest

from cellblock.kernels.local import LocalKernel
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox
from cellblock.testing import SessionContract


class TestForked(SessionContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls):
        return lambda: LocalKernel("python3", launcher=SandboxLauncher(Sandbox()))


class TestSpawned(SessionContract):
    """In an interpreter of its own, which an environment variable that is read at a start asks for."""

    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls):
        return lambda: LocalKernel("python3", launcher=SandboxLauncher(Sandbox(env={"LC_ALL": "C.UTF-8"})))
