"""How the C library's allocator treats large results that are freed.

On the CPU torch asks the C library for every tensor. glibc returns a freed block of more than 32 MB
to the system at once, and the system clears each page of the next one before it hands it out: an
operator that writes hundreds of megabytes then spends more time in page faults than in arithmetic,
ours and torch's alike.
"""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_DEFAULT_MMAP_MAX = 65536
_DEFAULT_TRIM_THRESHOLD = 128 << 10


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
