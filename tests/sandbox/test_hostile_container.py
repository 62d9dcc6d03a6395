"""The table of what code must not be able to do, on a container as it is by default, and what of it that does not hold."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from cellblock.cli.sandbox_cases.case import Group
from cellblock.cli.sandbox_cases.host import Host
from cellblock.cli.sandbox_cases.runner import try_cases
from cellblock.cli.sandbox_cases.table import ALL_CASES
from cellblock.cli.sandbox_check import LIMITS
from cellblock.kernels.remote import RemoteKernel
from cellblock.servers.docker import DockerJupyterServer
from docker_engine import BUNDLED, bundled_image

__all__ = ["bundled_image"]

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("bundled_image")]

LIMITED = {"many_processes", "many_threads", "memory", "open_files", "image_of_a_crash"}
"""Of the limits those that a container has; it has none of the disk."""

ENDS_ITS_OWN_SERVER = {"signal_everybody", "kill_the_first_process"}
"""The server runs as the code does, in the same container."""

OF_THE_CONTAINER_ITSELF = {"change_the_interpreter", "descriptors_of_the_first_process", "memory_of_the_first_process"}
UNTIL_THE_SERVER_STOPS = {
    "live_longer_than_the_session",
    "live_longer_by_ignoring_signals",
    "end_by_the_kernels_own_exit",
}
DEAFENS_ITS_KERNEL = {"change_the_key"}
"""Nobody but the kernel reads the signatures of its requests, so that it took none shows when the next call's time is up."""
SHOWN_BY_THE_ENGINE = {"kernel_symbols"}  # how the host's kernel was configured, where it tells


class _OneFolder(Host):
    """A host where all sessions have one workspace: a container's."""

    def workspace(self):
        folder = self.folder / "shared"
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o777)
            (folder / "environment" / "lib" / "python3" / "site-packages").mkdir(parents=True)
        return folder


def _clear(workspace):
    for path in workspace.iterdir():
        if path.is_dir() and not path.is_symlink():
            if path.name != "environment":
                shutil.rmtree(path, ignore_errors=True)  # a case that goes on may be at it, too
        else:
            path.unlink(missing_ok=True)


async def _tried(cases, host):
    workspace = host.workspace()
    environment = f"{workspace}/environment:/workspace/environment:ro"
    with DockerJupyterServer(
        **BUNDLED, work_dir=workspace, volumes=[environment], mem_limit=LIMITS.memory, pids_limit=LIMITS.pids
    ) as server:

        def make_kernel(workspace):
            _clear(workspace)
            return RemoteKernel(server.connection_info)

        return [outcome async for outcome in try_cases(cases, make_kernel, host)]


@pytest.mark.anyio
async def test_a_container_holds_what_it_says_it_holds():
    groups = set(Group) - {Group.LIMITS, Group.PROTOCOL}
    cases = [
        case
        for case in ALL_CASES
        if (case.group in groups or case.name in LIMITED) and case.name not in ENDS_ITS_OWN_SERVER
    ]
    with _OneFolder(LIMITS.limits, is_plain=False) as host:
        outcomes = await _tried(cases, host)
        workspace = host.workspace()
        beats = [file.read_text() for file in workspace.glob("heartbeat-*")]
        await asyncio.sleep(0.2)  # in which what lives would go on
        assert [file.read_text() for file in workspace.glob("heartbeat-*")] == beats
        assert beats
    not_held = {outcome.case.name: outcome.got_through or outcome.not_tried for outcome in outcomes if not outcome.held}
    assert not_held.keys() <= OF_THE_CONTAINER_ITSELF | UNTIL_THE_SERVER_STOPS | SHOWN_BY_THE_ENGINE, not_held
    assert len(outcomes) - len(not_held) >= 100


@pytest.mark.anyio
async def test_a_session_in_a_container_stands_what_its_code_does_to_it():
    cases = [case for case in ALL_CASES if case.group is Group.PROTOCOL and case.name not in DEAFENS_ITS_KERNEL]
    with _OneFolder(LIMITS.limits, is_plain=False) as host:
        outcomes = await _tried(cases, host)
    assert {o.case.name: o.got_through or o.not_tried for o in outcomes if not o.held} == {}
    assert len(outcomes) == len(cases) >= 14
