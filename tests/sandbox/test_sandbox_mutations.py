"""Each protection is needed: without it, cases get through that are held with it. So the table can fail."""

from __future__ import annotations

import os
import struct

import pytest

from cellblock.cli.sandbox_cases.table import ALL_CASES
from cellblock.cli.sandbox_check import outcomes
from cellblock.errors import SandboxUnavailable
from cellblock.kernels.forkserver.client import ForkServer
from cellblock.kernels.sandbox import bubblewrap, guard, join, layout, limiter

_ALLOW_EVERYTHING = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
_ENVIRONMENTS = {"environments_of_processes", "environments_of_threads"}


def _no_filter(monkeypatch):
    for module in (bubblewrap, join):
        monkeypatch.setattr(module, "filter_program", lambda _: _ALLOW_EVERYTHING)


def _no_network_namespace(monkeypatch):
    namespaces = bubblewrap._namespaces
    monkeypatch.setattr(
        bubblewrap,
        "_namespaces",
        lambda *given, **options: [option for option in namespaces(*given, **options) if option != "--unshare-net"],
    )


def _no_limits_of_processes(monkeypatch):
    monkeypatch.setattr(limiter, "rlimits", lambda *_: {})


def _callers_environment(monkeypatch):
    environment = layout.environment
    monkeypatch.setattr(layout, "environment", lambda *given: {**os.environ, **environment(*given)})


def _no_limits_of_the_whole(monkeypatch):
    monkeypatch.setattr(limiter, "cgroup_parents", lambda: None)
    for check in (guard.MemoryCheck, guard.DiskCheck):
        monkeypatch.setattr(check, "exceeded", lambda *_: "")


async def _getting_through(names, *, spawned):
    cases = [case for case in ALL_CASES if case.name in names]
    return {outcome.case.name async for outcome in outcomes(cases, spawned=spawned) if outcome.got_through}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("remove", "opened"),
    [
        (
            _no_filter,
            {"new_namespaces", "keyring", "system_v_memory", "memory_nobody_counts", "program_with_its_owners_rights"},
        ),
        (_no_network_namespace, {"interfaces", "service_of_the_host", "listen_for_the_host", "datagrams"}),
        (_no_limits_of_processes, {"open_files", "raising_the_limits"}),
        (_callers_environment, {"own_environment"}),
        (_no_limits_of_the_whole, {"memory_that_is_shared", "disk_with_many_files"}),
    ],
)
async def test_without_a_protection_cases_get_through(remove, opened, monkeypatch):
    remove(monkeypatch)
    assert await _getting_through(opened, spawned=True) == opened


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("remove", "opened"),
    [
        (_no_filter, {"new_namespaces", "keyring", "program_with_its_owners_rights"}),
        (_no_limits_of_processes, {"open_files", "raising_the_limits"}),
        (_callers_environment, {"own_environment"}),
        (_no_limits_of_the_whole, {"memory_that_is_shared"}),
    ],
)
async def test_without_a_protection_cases_of_forked_kernels_get_through(remove, opened, monkeypatch):
    remove(monkeypatch)
    assert await _getting_through(opened, spawned=False) == opened


@pytest.mark.anyio
async def test_a_forked_kernel_does_not_enter_a_sandbox_with_the_hosts_network(monkeypatch):
    _no_network_namespace(monkeypatch)
    with pytest.raises(SandboxUnavailable, match=r"would have the host's namespaces \(net\)"):
        await _getting_through({"interfaces"}, spawned=False)


@pytest.mark.anyio
async def test_a_fork_server_with_the_callers_environment_would_give_it_away(monkeypatch):
    servers = []

    def with_callers_environment(preload, environment):
        servers.append(ForkServer(preload, {**os.environ, **environment}))
        return servers[-1]

    monkeypatch.setattr(join, "fork_server", with_callers_environment)
    try:
        assert await _getting_through(_ENVIRONMENTS, spawned=False) == _ENVIRONMENTS
    finally:
        for server in servers:
            server.end()
