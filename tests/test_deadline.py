"""One deadline for all the steps of a call."""

import asyncio
import math

import pytest

from cellblock.deadline import Deadline, checked_timeout
from cellblock.errors import ConfigError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("timeout", [0.001, 1, 60.0, 1e9])
def test_a_positive_number_is_a_timeout(timeout):
    assert checked_timeout(timeout) == timeout
    assert isinstance(checked_timeout(timeout), float)


def test_none_is_no_deadline():
    assert checked_timeout(None) is None


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, -math.inf, True, False, "5", b"5", [5], 5j])
def test_anything_else_is_refused_by_name(timeout):
    with pytest.raises(ConfigError) as caught:
        checked_timeout(timeout)
    assert str(caught.value) == (
        f"The timeout must be a positive number of seconds, or None for none; it was {timeout!r}."
    )


async def test_time_left_and_elapsed_add_up():
    deadline = Deadline(10)
    await asyncio.sleep(0.01)
    assert deadline.elapsed >= 0.01
    assert deadline.elapsed + deadline.left == pytest.approx(10, abs=0.01)
    assert not deadline.passed


async def test_without_a_deadline_nothing_passes():
    deadline = Deadline(None)
    assert (deadline.left, deadline.when, deadline.passed) == (None, None, False)


async def test_a_deadline_passes():
    deadline = Deadline(0.01)
    await asyncio.sleep(0.02)
    assert deadline.passed
    assert deadline.left < 0


async def test_what_takes_too_long_is_ended_and_named():
    with pytest.raises(TimeoutError, match=r"^Nothing happened within 0\.01 s\.$"):
        async with Deadline(0.01).enforced("Nothing happened"):
            await asyncio.sleep(10)


async def test_other_errors_stay_themselves():
    with pytest.raises(TimeoutError, match="another"):
        async with Deadline(10).enforced("Nothing happened"):
            raise TimeoutError("another")
    with pytest.raises(LookupError):
        async with Deadline(None).enforced("Nothing happened"):
            raise LookupError
