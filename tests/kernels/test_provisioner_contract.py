"""What servers rely on in a provisioner, of jupyter_client's own."""

import pytest

from cellblock.testing import ProvisionerContract


class TestLocalProvisioner(ProvisionerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def kernel_name(cls):
        return "python3"
