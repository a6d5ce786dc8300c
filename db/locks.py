"""Locks that a PostgreSQL server keeps between processes, also those of several machines."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from db.engine import in_words
from db.server import lock_key


@contextmanager
def held(engine: Engine, name: str, *, wait: bool = False) -> Iterator[bool]:
    """Hold the database's lock `name` and yield True; yield False where somebody else holds it.

    With `wait` it is waited for instead. The lock belongs to a connection of its own, so the server
    frees it when this process ends, however it ends. Raises `LockedError`, `StorageError`.
    """
    function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    with in_words():
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    key = {"key": lock_key(name)}
    taken = False
    try:
        with in_words():
            taken = connection.scalar(text(f"SELECT {function}(:key)"), key) is not False
        yield taken
    finally:
        if taken:  # a server notices a closed connection a moment later: the next is not to wait
            with suppress(DatabaseError):
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        connection.invalidate()  # closed, not put back into the pool with the lock
        connection.close()


def is_held(engine: Engine, name: str) -> bool:
    """Return whether anybody holds the database's lock `name`. Raises `StorageError`."""
    with held(engine, name) as free:
        return not free
