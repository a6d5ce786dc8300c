"""A lock between processes that the kernel frees, whatever happens to the one that holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog_ai.errors import BusyError


@contextmanager
def only_one(path: Path, sentence: str) -> Iterator[None]:
    """Hold `path` locked. Raises `BusyError` with `sentence` at once where another process does.

    The file stays: deleting it would let two processes lock two files of one name. Child processes
    do not inherit the handle, so a killed parent frees the lock even while children linger.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(sentence) from error
        yield
    finally:
        os.close(handle)
