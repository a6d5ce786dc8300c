"""Memory that is freed and needed again a moment later.

A photo's pixels are a block of a megabyte or more; a layer's activations in training are blocks of
several, at 224 pixels of a hundred. glibc asks the kernel for each block of that size and hands it
back when it is freed, and the kernel clears every page of the next one: on a CPU that took a third
of each training step of the article's network, and half of a larger one's.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # malloc.h
_KEPT = 2**31 - 1  # mallopt takes an int
_USUAL_MMAP_MAX, _USUAL_TRIM_THRESHOLD = 65_536, 2**26  # what glibc's own rules arrive at

_OF_ONE_PHOTO = 2**25  # the most that glibc takes for _MMAP_THRESHOLD: 11 megapixels


def keep_freed_memory() -> None:
    """Let glibc keep what it takes to decode one photo, for the rest of this process's life.

    Larger blocks go back to the kernel as ever. Where the C library has no `mallopt` nothing
    changes.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, _OF_ONE_PHOTO)
        library.mallopt(_TRIM_THRESHOLD, 2 * _OF_ONE_PHOTO)


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let glibc keep up to 2 GiB of freed memory inside, and give it back afterwards.

    Where the C library has no `mallopt` nothing changes.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        yield
        return
    library.mallopt(_MMAP_MAX, 0)  # the heap alone, however large the block
    library.mallopt(_TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        library.mallopt(_MMAP_MAX, _USUAL_MMAP_MAX)
        library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM_THRESHOLD)
        library.malloc_trim(ctypes.c_size_t(0))
