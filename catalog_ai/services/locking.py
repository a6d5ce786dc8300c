"""Locks between processes that free themselves, whatever happens to the one that holds them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from catalog_ai.errors import BusyError
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import is_file
from db.locks import held


@contextmanager
def one_at_a_time(catalogue: Catalogue, name: str, sentence: str) -> Iterator[None]:
    """Hold the catalogue's lock `name`. Raises `BusyError` with `sentence` where another does.

    With SQLite it is the file `locks/NAME.lock`, with PostgreSQL a lock of the server, for all
    machines that use it. Raises `DatabaseError` where that cannot be reached.
    """
    if is_file(catalogue.engine):
        with only_one(catalogue.settings.locks / f"{name}.lock", sentence):
            yield
        return
    with ExitStack() as stack:
        with in_plain_words():
            mine = stack.enter_context(held(catalogue.engine, name))
        if not mine:
            raise BusyError(sentence)
        yield


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
