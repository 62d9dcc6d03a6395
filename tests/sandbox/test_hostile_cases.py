"""The table of what code must not be able to do: held in a sandbox, and getting through without one."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from cellblock.cli.sandbox_cases.case import Group, Open
from cellblock.cli.sandbox_cases.table import ALL_CASES
from cellblock.cli.sandbox_check import outcomes
from sandbox.as_user import run_as_user

_GROUPS = list(Group)
_QUICK = [group for group in Group if group not in (Group.LIMITS, Group.PROTOCOL)]
_KINDS = ("forked", "spawned")  # the two ways in which a kernel comes into its sandbox
_USERS_PROGRAM = """
import asyncio, json, sys
from cellblock.cli.sandbox_cases.table import ALL_CASES
from cellblock.cli.sandbox_check import outcomes
async def main(kind, groups):
    cases = [case for case in ALL_CASES if case.group in groups]
    async for outcome in outcomes(cases, plain=kind == "plain", spawned=kind == "spawned"):
        print(json.dumps([outcome.case.name, outcome.got_through, outcome.not_tried]))
asyncio.run(main(sys.argv[1], sys.argv[2:]))
"""


def _as_user(kind, *groups):
    printed = run_as_user("-c", _USERS_PROGRAM, kind, *groups, timeout=110)
    return {name: (got_through, not_tried) for name, got_through, not_tried in map(json.loads, printed.splitlines())}


def _failed(results):
    return {name: said for name, said in results.items() if any(said)}


async def _here(kind, *, groups=(), names=()):
    cases = [case for case in ALL_CASES if case.group in groups or case.name in names]
    tried = outcomes(cases, plain=kind == "plain", spawned=kind == "spawned")
    return {o.case.name: (o.got_through, o.not_tried) async for o in tried}


def test_there_are_cases_enough_and_each_has_its_name():
    assert len(ALL_CASES) >= 140
    assert len({case.name for case in ALL_CASES}) == len(ALL_CASES)
    assert {case.group for case in ALL_CASES} == set(Group)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("group", _GROUPS)
async def test_a_sandbox_holds_every_case(group, kind):
    results = await _here(kind, groups=[group])
    assert len(results) == sum(case.group is group for case in ALL_CASES)
    assert not _failed(results)


@pytest.mark.parametrize(("kind", "group"), [*(("forked", g) for g in _GROUPS), *(("spawned", g) for g in _QUICK)])
def test_an_ordinary_users_sandbox_holds_every_case(kind, group):
    results = _as_user(kind, group)
    assert len(results) == sum(case.group is group for case in ALL_CASES)
    assert not _failed(results)


def test_a_plain_kernel_of_an_ordinary_user_lets_most_cases_through():
    through = _failed(_as_user("plain", *_QUICK))
    wanted = {case.name for case in ALL_CASES if case.open_to is Open.EVERYBODY and case.group in _QUICK}
    assert len(wanted) > 50
    assert wanted <= through.keys()


@pytest.mark.anyio
@pytest.mark.skipif(os.getuid() != 0, reason="what code of root gets through only root can show")
async def test_a_plain_kernel_of_root_lets_more_through():
    through = _failed(await _here("plain", groups=_QUICK))
    wanted = {case.name for case in ALL_CASES if case.open_to in (Open.EVERYBODY, Open.ROOT) and case.group in _QUICK}
    assert len(wanted) > 70
    assert wanted <= through.keys()


@pytest.mark.anyio
async def test_a_plain_kernel_has_no_limits():
    wanted = {"memory", "memory_that_is_shared", "many_processes", "disk_with_many_files", "open_files"}
    assert _failed(await _here("plain", names=wanted)).keys() == wanted


def test_the_documentation_counts_the_cases_as_they_are():
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    counted = {name: int(count) for name, count in re.findall(r"^\| ([^|]+?) \| (\d+) \|", page, re.MULTILINE)}
    counts = Counter(case.group for case in ALL_CASES)
    assert {name.removeprefix("the "): count for name, count in counted.items()} == {
        group.value.removeprefix("the "): counts[group] for group in Group
    }
    assert f": {len(ALL_CASES)} cases, each" in page
