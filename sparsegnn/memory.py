"""How the C library's allocator treats large results that are freed.

On the CPU torch asks the C library for every tensor. glibc returns a freed block of more than 32 MB
to the system at once, and the system clears each page of the next one before it hands it out: an
operator that writes hundreds of megabytes then spends more time in page faults than in arithmetic,
ours and torch's alike.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from torch import Tensor

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_DEFAULT_MMAP_MAX = 65536
_DEFAULT_TRIM_THRESHOLD = 128 << 10
_MADV_HUGEPAGE = 14
_HUGE_PAGE = 2 << 20
# glibc keeps freed blocks up to this size for the next tensor.
KEPT_BYTES = 32 << 20


def keep_freed_memory(enabled: bool = True) -> bool:
    """Makes the process keep freed blocks for its next tensors instead of returning them.

    A setting of the whole process, for all libraries in it: its memory stays at the largest amount
    that was in use at once. Worth it for inference and training loops whose results take more than
    32 MB; `make bench KEEP=1` measures with it. Allocators that take the place of glibc's
    (jemalloc, tcmalloc) do the like by themselves.

    Args:
        enabled: False restores glibc's defaults and returns what is free to the system.

    Returns:
        Whether the C library took the setting; False where it is not glibc.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt") or not hasattr(libc, "gnu_get_libc_version"):
        return False
    blocks = libc.mallopt(_M_MMAP_MAX, 0 if enabled else _DEFAULT_MMAP_MAX)
    trim = libc.mallopt(_M_TRIM_THRESHOLD, -1 if enabled else _DEFAULT_TRIM_THRESHOLD)
    if not enabled:
        libc.malloc_trim(0)
    return bool(blocks and trim)


def fresh(like: Tensor, shape: Sequence[int]) -> Tensor:
    """An uninitialised tensor of the dtype and device of `like`, on huge pages where it is large.

    A page of 2 MB is cleared several times as fast as its 512 pages of 4 KB. A hint: where the
    system has no such pages for it, nothing changes.
    """
    tensor = like.new_empty(shape)
    size = tensor.numel() * tensor.element_size()
    if tensor.device.type == "cpu" and size > KEPT_BYTES and sys.platform == "linux":
        start = -(-tensor.data_ptr() // _HUGE_PAGE) * _HUGE_PAGE
        stop = (tensor.data_ptr() + size) // _HUGE_PAGE * _HUGE_PAGE
        _madvise()(start, stop - start, _MADV_HUGEPAGE)
    return tensor


@cache
def _madvise() -> Any:
    function = ctypes.CDLL(None).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function
