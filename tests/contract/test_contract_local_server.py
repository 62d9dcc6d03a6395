"""The contract of a cell on a local server of ours, which runs the kernels that this process runs."""

import os
import time
from typing import ClassVar

import psutil
import pytest

from cellblock import Session
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.local import LocalJupyterServer
from cellblock.testing import SessionContract


class TestLocalServer(SessionContract):
    """All of it, last words included; the server looks five times a second whether a kernel has died."""

    death_notice: ClassVar[float] = 1.0
    grace: ClassVar[float] = 5.0

    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls):
        with LocalJupyterServer(pool=0) as server:
            yield lambda: RemoteKernel(server.connection_info)


class TestPoolOfLocalServer(TestLocalServer):
    """The same on kernels that waited in the server to be used."""

    size: ClassVar[int] = 2

    @pytest.fixture(scope="class")
    @classmethod
    def make_kernel(cls):
        with LocalJupyterServer(pool=cls.size) as server:
            yield lambda: RemoteKernel(server.connection_info)

    @pytest.fixture(scope="class")
    @classmethod
    def session(cls, make_kernel):
        with Session(make_kernel(), timeout=60) as session:
            session.start()
            cls.wait_until_full()
            yield session

    @pytest.fixture(autouse=True)
    def _session_is_live_again(self, session):
        """With the pool as full as it was before the test."""
        yield
        session.start()
        self.wait_until_full()

    @classmethod
    def wait_until_full(cls):
        """Waits for the kernels of the server: those that wait, and the session's."""
        until = time.monotonic() + 10
        while len(kernels_of_the_server()) != cls.size + 1:
            assert time.monotonic() < until
            time.sleep(0.02)


def kernels_of_the_server():
    """The children of its fork server; this process has another."""
    servers = (p for p in psutil.Process().children(recursive=True) if p.ppid() != os.getpid())
    return [kernel for p in servers if p.name() == "cellblock-forks" for kernel in p.children()]
