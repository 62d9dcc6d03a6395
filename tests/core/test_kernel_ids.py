"""Ids of kernels that tell whose they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellblock._core.kernel_ids import KernelOwner, kernel_id_for, kernel_owner


@given(st.text(), st.text(), st.integers(min_value=0, max_value=2**22))
def test_an_id_fits_the_pattern_of_jupyters_urls_and_names_its_owner(label, host, pid):
    kernel_id = kernel_id_for(KernelOwner(label, host, pid))
    assert re.fullmatch(r"\w+-\w+-\w+-\w+-\w+", kernel_id, re.ASCII)
    owner = kernel_owner(kernel_id)
    assert owner is not None
    assert owner.pid == pid


def test_words_come_back():
    assert kernel_owner(kernel_id_for(KernelOwner("my run", "host-1", 7))) == KernelOwner("my_run", "host_1", 7)
    assert kernel_owner(kernel_id_for(KernelOwner("", "h", 7))) == KernelOwner("", "h", 7)


def test_no_two_ids_are_the_same():
    assert len({kernel_id_for(KernelOwner("", "h", 7)) for _ in range(100)}) == 100


@pytest.mark.parametrize("other", ["", "2b2b2b2b-0000-4000-8000-000000000000", "cellblock-a-b-c-d", "cellblock-a-b-1"])
def test_other_ids_have_no_owner_known_to_us(other):
    assert kernel_owner(other) is None
