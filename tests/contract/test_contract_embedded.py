"""The contract of a cell on a kernel of this process."""

import pytest

from cellblock.kernels.launch import DescriptorLauncher
from cellblock.kernels.local import LocalKernel
from cellblock.testing import SessionContract


class TestEmbedded(SessionContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls):
        return lambda: LocalKernel("python3", launcher=DescriptorLauncher())
