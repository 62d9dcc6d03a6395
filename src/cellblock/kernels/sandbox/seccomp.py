"""The seccomp filter of a sandbox: a classic BPF program, built without libseccomp.

Source: seccomp(2), "filter", and ``linux/bpf_common.h``.
"""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING

from cellblock.kernels.sandbox.seccomp_rules import CONDITIONAL, MISSING, MISSING_ERRNO, REFUSED, REFUSED_ERRNO
from cellblock.kernels.sandbox.syscalls import LAST_KNOWN, syscall_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cellblock.kernels.sandbox.seccomp_rules import Condition

__all__ = ["AUDIT_ARCHITECTURES", "filter_program", "further_program"]

AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""What the kernel calls the machines that there is a filter for."""

_X32_BIT = 0x40000000  # marks calls of x86_64's other calling convention, which has numbers of its own

_LOAD, _AND = 0x20, 0x54  # BPF_LD|BPF_W|BPF_ABS, BPF_ALU|BPF_AND|BPF_K
_IF_EQUAL, _IF_GREATER, _IF_AT_LEAST = 0x15, 0x25, 0x35
_RETURN = 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000

_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data


class _Instruction:
    """One instruction, whose jumps count the instructions they skip."""

    __slots__ = ("code", "if_false", "if_true", "operand")

    def __init__(self, code: int, operand: int, if_true: int = 0, if_false: int = 0) -> None:
        self.code, self.operand, self.if_true, self.if_false = code, operand, if_true, if_false

    def __bytes__(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.if_true, self.if_false, self.operand)


_Program = list[_Instruction]


@functools.cache
def filter_program(machine: str) -> bytes:
    """The filter as an array of ``struct sock_filter``, to be loaded by ``bwrap --seccomp``.

    Args:
        machine: "x86_64" or "aarch64".

    Raises:
        KeyError: There is no filter for this machine.
    """
    numbers = syscall_numbers(machine)
    program = [
        _Instruction(_LOAD, _ARCHITECTURE),
        *_returned(_KILL_PROCESS, _IF_EQUAL, AUDIT_ARCHITECTURES[machine], otherwise=True),
        _Instruction(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        program += _returned(_KILL_PROCESS, _IF_AT_LEAST, _X32_BIT)
    program += _returned(_ERRNO | MISSING_ERRNO, _IF_GREATER, LAST_KNOWN)
    for answer, names in ((MISSING_ERRNO, MISSING), (REFUSED_ERRNO, REFUSED)):
        for number in _present(names, numbers):
            program += _returned(_ERRNO | answer, _IF_EQUAL, number)
    for name in sorted(CONDITIONAL.keys() & numbers.keys()):
        program += _conditional(numbers[name], CONDITIONAL[name])
    program.append(_Instruction(_RETURN, _ALLOW))
    return b"".join(map(bytes, program))


def further_program(machine: str, *, refused: Iterable[str] = (), missing: Iterable[str] = ()) -> bytes:
    """A filter to be loaded beside that of every sandbox, which it relies on; empty if there is nothing in it.

    Args:
        machine: As for ``filter_program``.
        refused: Calls that fail with EPERM.
        missing: Calls that fail with ENOSYS, so that callers fall back to others.
    """
    numbers = syscall_numbers(machine)
    program = [_Instruction(_LOAD, _NUMBER)]
    for answer, names in ((REFUSED_ERRNO, refused), (MISSING_ERRNO, missing)):
        for number in _present(names, numbers):
            program += _returned(_ERRNO | answer, _IF_EQUAL, number)
    if len(program) == 1:
        return b""
    program.append(_Instruction(_RETURN, _ALLOW))
    return b"".join(map(bytes, program))


def _present(names: Iterable[str], numbers: Mapping[str, int]) -> list[int]:
    return sorted(numbers[name] for name in names if name in numbers)


def _returned(answer: int, comparison: int, operand: int, *, otherwise: bool = False) -> _Program:
    """Answers if the comparison holds (or, ``otherwise``, if it does not)."""
    skips = (1, 0) if otherwise else (0, 1)
    return [_Instruction(comparison, operand, *skips), _Instruction(_RETURN, answer)]


def _conditional(number: int, alternatives: Sequence[Sequence[Condition]]) -> _Program:
    """Allows a call for which one of the alternatives holds and refuses it otherwise."""
    body: _Program = []
    for conditions in alternatives:
        body += _alternative(conditions)
    body.append(_Instruction(_RETURN, _ERRNO | REFUSED_ERRNO))
    return [_Instruction(_IF_EQUAL, number, 0, len(body)), *body]


def _alternative(conditions: Sequence[Condition]) -> _Program:
    """Allows if all conditions hold, and goes on behind itself otherwise."""
    program: _Program = []
    for condition in conditions:
        program.append(_Instruction(_LOAD, _ARGUMENTS + 8 * condition.argument))  # the low half: both are little-endian
        program.append(_Instruction(_AND, condition.mask))
        program.append(_Instruction(_IF_EQUAL, condition.value))
    program.append(_Instruction(_RETURN, _ALLOW))
    for place, condition in enumerate(conditions):
        check = program[3 * place + 2]
        skip = len(program) - (3 * place + 3)
        check.if_true, check.if_false = (skip, 0) if condition.negated else (0, skip)
    return program
