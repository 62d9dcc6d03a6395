"""The filter of system calls, run on a machine of its own here: also for processors that are not at hand."""

import errno
import struct

import pytest

from cellblock.kernels.sandbox.docker_profile import docker_seccomp_profile
from cellblock.kernels.sandbox.seccomp import AUDIT_ARCHITECTURES, filter_program
from cellblock.kernels.sandbox.seccomp_rules import CONDITIONAL, MISSING, REFUSED
from cellblock.kernels.sandbox.syscalls import known_syscalls, syscall_numbers

_ALLOW, _KILL = "allow", "kill"


def _run(program, number, arguments=(), architecture=None, machine="x86_64"):
    """What a filter answers to a call: a classic BPF machine, as far as filters use it."""
    architecture = AUDIT_ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    at = accumulator = 0
    while True:
        code, if_true, if_false, operand = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, operand)
            case 0x54:
                accumulator &= operand
            case 0x15 | 0x25 | 0x35:
                holds = {0x15: accumulator == operand, 0x25: accumulator > operand, 0x35: accumulator >= operand}[code]
                at += if_true if holds else if_false
            case 0x06:
                return {0x7FFF0000: _ALLOW, 0x80000000: _KILL}.get(operand) or errno.errorcode[operand & 0xFFFF]
            case _:
                raise AssertionError(hex(code))


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request):
    return request.param


@pytest.fixture
def answer(machine):
    program, numbers = filter_program(machine), syscall_numbers(machine)
    return lambda name, *arguments: _run(program, numbers[name], arguments, machine=machine)


def test_refused_and_missing_calls_get_their_errors(machine, answer):
    for name in REFUSED & syscall_numbers(machine).keys():
        assert answer(name) == "EPERM"
    for name in MISSING:
        assert answer(name) == "ENOSYS"


def test_every_other_call_is_allowed(machine, answer):
    others = syscall_numbers(machine).keys() - REFUSED - MISSING - CONDITIONAL.keys()
    assert len(others) > 200
    assert {answer(name) for name in others} == {_ALLOW}


def test_calls_of_later_kernels_and_of_other_processors_are_not(machine):
    program = filter_program(machine)
    assert _run(program, 457, machine=machine) == "ENOSYS"
    assert _run(program, 2**31 - 1, machine=machine) in ("ENOSYS", _KILL)
    assert _run(program, 0, architecture=0x40000003) == _KILL


def test_the_other_convention_of_x86_is_killed():
    assert _run(filter_program("x86_64"), 0x40000000 | 1) == _KILL


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("clone", (0x11,), _ALLOW),
        ("clone", (0x003D0F00,), _ALLOW),  # a thread
        ("clone", (0x10000011,), "EPERM"),  # a user namespace
        ("clone", (0x40000011,), "EPERM"),
        ("clone", (0x00020011,), "EPERM"),
        ("socket", (1, 1, 0), _ALLOW),
        ("socket", (2, 1, 0), _ALLOW),
        ("socket", (10, 2, 17), _ALLOW),
        ("socket", (16, 3, 0), _ALLOW),
        ("socket", (16, 3, 12), "EPERM"),
        ("socket", (17, 3, 0), "EPERM"),
        ("socket", (38, 5, 0), "EPERM"),
        ("socket", (40, 1, 0), "EPERM"),
        ("socket", (2, 1, 132), "EPERM"),
        ("socketpair", (1, 1, 0), _ALLOW),
        ("socketpair", (30, 1, 0), "EPERM"),
        ("ioctl", (0, 0x5401), _ALLOW),
        ("ioctl", (0, 0x5412), "EPERM"),
        ("ioctl", (0, 0xFFFFFFFF00005412), "EPERM"),  # the kernel looks at the low half only
        ("ioctl", (0, 0x541C), "EPERM"),
        ("fchmod", (0, 0o755), _ALLOW),
        ("fchmod", (0, 0o4755), "EPERM"),
        ("fchmodat", (0, 0, 0o2755), "EPERM"),
        ("openat", (0, 0, 0, 0o4755), _ALLOW),  # opens only: the mode is not looked at
        ("openat", (0, 0, 0o101, 0o644), _ALLOW),
        ("openat", (0, 0, 0o101, 0o4755), "EPERM"),
        ("openat", (0, 0, 0o20200001, 0o4755), "EPERM"),  # O_TMPFILE
        ("mknodat", (0, 0, 0o104755), "EPERM"),
        ("personality", (0xFFFFFFFF,), _ALLOW),
        ("personality", (0x0400000,), "EPERM"),
    ],
)
def test_calls_are_told_apart_by_their_arguments(answer, name, arguments, expected):
    assert answer(name, *arguments) == expected


def test_the_docker_profile_names_what_is_allowed():
    profile = docker_seccomp_profile()
    free = set(profile["syscalls"][0]["names"])
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert free == known_syscalls() - REFUSED - MISSING - CONDITIONAL.keys()
    rules = [rule for rule in profile["syscalls"] if rule["names"] == ["socket"]]
    assert len(rules) == len(CONDITIONAL["socket"])
    assert {"index": 0, "value": 0xFFFFFFFF, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"} in rules[0]["args"]


@pytest.mark.parametrize(
    ("request_", "allowed"),
    [
        (0x5412, False),  # TIOCSTI
        (0x541C, False),  # TIOCLINUX
        (0x1_0000_5412, False),  # the same to Linux, which looks at 32 bits
        (0xFFFF_FFFF_0000_541C, False),
        (0x5401, True),  # TCGETS
        (0x5410, True),  # TIOCSPGRP
        (0x5413, True),  # TIOCGWINSZ
        (0x541B, True),  # FIONREAD
        (0x541E, True),
        (0x8004_7455, True),
    ],
)
def test_the_docker_profile_lets_nobody_type_into_a_terminal(request_, allowed):
    rules = [rule for rule in docker_seccomp_profile()["syscalls"] if rule["names"] == ["ioctl"]]
    compared = [argument for rule in rules for argument in rule["args"]]
    assert {(argument["index"], argument["op"]) for argument in compared} == {(1, "SCMP_CMP_MASKED_EQ")}
    assert all(len(rule["args"]) == 1 for rule in rules)
    assert any(request_ & argument["value"] == argument["valueTwo"] for argument in compared) is allowed
