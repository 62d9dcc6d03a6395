"""The limit of processor time is held, or a sandbox is not built."""

import os

import pytest

from cellblock.errors import SandboxUnavailable
from cellblock.kernels.sandbox import limiter
from cellblock.kernels.sandbox.cgroups import Cgroup, Parents
from cellblock.kernels.sandbox.guard import DiskUse
from cellblock.kernels.sandbox.limiter import Limiter, cgroup_parents
from cellblock.kernels.sandbox.options import Limits

pytestmark = pytest.mark.anyio

_MIB = 2**20


def _limits(**changes):
    return Limits(**{"memory": 256 * _MIB, "cpus": 0.5, "pids": 64, "disk": _MIB} | changes)


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C.UTF-8"}], ids=["forked", "spawned"])
async def test_without_a_control_group_code_stays_on_its_processors(make_session, env, monkeypatch):
    monkeypatch.setattr(limiter, "cgroup_parents", lambda: None)
    async with make_session(cpus=1, env=env) as session:
        assert (await session.run("import os\nlen(os.sched_getaffinity(0))")).text == "1"
        result = await session.run(f"os.sched_setaffinity(0, range({os.cpu_count()}))")
        assert result.error.ename == "PermissionError"


async def test_without_a_limit_code_may_choose_its_processors(make_session):
    async with make_session() as session:
        result = await session.run("import os\nos.sched_setaffinity(0, [min(os.sched_getaffinity(0))])")
        assert result.error is None


def test_a_control_group_that_was_not_given_processors_does_not_limit_them(tmp_path, monkeypatch):
    """As systemd hands memory and processes down to a user, and nothing more."""
    monkeypatch.setattr(limiter, "cgroup_parents", lambda: Parents(unified=tmp_path))
    held = Limiter(_limits(), tmp_path, before=DiskUse(0, 0), allowance=_MIB)
    assert not held._cgroup.limits_processors
    assert len(held.processors) == 1
    assert held.filter


@pytest.mark.skipif(cgroup_parents() is None, reason="no control groups can be made here")
def test_a_value_that_linux_refuses_is_not_passed_over():
    with pytest.raises(SandboxUnavailable, match=r"5000000 for pids\.max of its control group \(Invalid argument\)"):
        Cgroup(cgroup_parents(), _limits(pids=5_000_000))
