"""What the sandbox's tests share."""

from __future__ import annotations

import pytest

from cellblock import AsyncSession
from cellblock.kernels.local import LocalKernel
from cellblock.kernels.sandbox.launcher import SandboxLauncher
from cellblock.kernels.sandbox.options import Sandbox


@pytest.fixture
def make_session():
    """Makes sessions in sandboxes from a sandbox's arguments."""

    def make(**options):
        return AsyncSession(LocalKernel(launcher=SandboxLauncher(Sandbox(**options))), timeout=60)

    return make


@pytest.fixture
async def session(make_session, anyio_backend):  # noqa: ARG001 - what runs an asynchronous fixture
    async with make_session() as session:
        yield session
