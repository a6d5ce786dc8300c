"""Memory that training frees and needs again a moment later.

A layer's activations are blocks of several MB. glibc hands such blocks back to the kernel when they
are freed, and the kernel clears every page of the next layer's: on a CPU that took a third of each
step of the article's network at 64 pixels.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST_MMAP_THRESHOLD = 32 * 2**20  # glibc refuses more
_KEPT = 2**30


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let glibc keep up to 1 GiB of freed memory inside, and give it back afterwards.

    Where the C library has no `mallopt` nothing changes.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
    library.mallopt(_TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        # What glibc's own rule arrives at once it has seen large blocks come and go.
        library.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_MMAP_THRESHOLD)
        library.malloc_trim(ctypes.c_size_t(0))
