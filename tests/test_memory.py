"""Freed memory is kept when asked for: a large result costs page faults once."""

import ctypes
import resource
from collections.abc import Iterator

import pytest
import torch

import sparsegnn as sg

_PAGES = (64 << 20) // 4096
_GLIBC = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    sg.keep_freed_memory(False)


def _faults() -> int:
    """Page faults of writing 64 MB three times, into results that are freed at once."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        torch.ones(16 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not _GLIBC, reason="a setting of glibc")
def test_a_large_result_costs_page_faults_once(restored: None) -> None:
    sg.keep_freed_memory(False)
    fresh = _faults()
    assert sg.keep_freed_memory()
    _faults()
    assert _faults() < _PAGES / 8
    assert sg.keep_freed_memory(False)
    assert _faults() > fresh / 2


@pytest.mark.skipif(_GLIBC, reason="a C library without the setting")
def test_other_c_libraries_are_left_alone() -> None:
    assert not sg.keep_freed_memory()
