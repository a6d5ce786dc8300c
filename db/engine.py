"""The only module that knows the database: connections, transactions, revisions.

A writing transaction is alone from its first statement to its last: what it reads is still true
when it writes. On PostgreSQL a lock does it, see `db.server`. On SQLite we open transactions
ourselves: `BEGIN` for reads and `BEGIN IMMEDIATE` for writes, because a deferred transaction that
reads and then writes fails at once with "database is locked", whatever the timeout. SQLite comes
from `pysqlite3`, since that of many systems has the WAL-reset bug (3.7.0 to 3.51.2;
https://sqlite.org/wal.html#walresetbug).
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.orm import Session

from db import server
from db.commands import revisions
from db.errors import LockedError, StorageError

BUSY_TIMEOUT_MS = 30_000
_FIXED = (3, 51, 3)
_FIXED_BRANCHES: dict[tuple[int, ...], int] = {(3, 50): 7, (3, 44): 6}

_SENTENCES = {
    "database or disk is full": "the disk is full: free some space and start again",
    "readonly database": "the database may not be written: check who owns its file and folder",
    "file is not a database": "the file is not a catalogue: restore the latest from backups/",
    "malformed": "the database is damaged: restore the latest copy from backups/",
    "unable to open": "the database cannot be opened: check that its folder exists and is yours",
    "disk I/O error": "the disk refused to read or write the database: check it and start again",
    "no such table": "the database is not this program's: check CATALOG_DATABASE_URL",
    "already exists": "the database holds another program's tables: check CATALOG_DATABASE_URL",
}


def wal_is_safe(version: tuple[int, ...] = sqlite.sqlite_version_info) -> bool:
    """Whether this SQLite is free of the WAL-reset bug."""
    return version >= _FIXED or version[2] >= _FIXED_BRANCHES.get(version[:2], 1_000)


def address_of(url: str) -> URL:
    """Return a database address in its parts. Raises `StorageError`."""
    try:
        return make_url(url)
    except ArgumentError as error:
        raise StorageError(f"{url!r} is no database address: sqlite:///FILE is one") from error


def create(url: str) -> Engine:
    """Return an engine for `url`; SQLite files get their folder made. Raises `StorageError`."""
    address = address_of(url)
    if address.get_backend_name() == "postgresql":
        return server.create(address, BUSY_TIMEOUT_MS)
    if address.get_backend_name() != "sqlite":
        raise StorageError(
            f"{address.get_backend_name()} is no database that this program knows: "
            "SQLite and PostgreSQL are"
        )
    if address.database in (None, "", ":memory:"):
        raise StorageError(f"{url!r} names no file: sqlite:////full/path/catalog.db does")
    _make_folder(Path(address.database))
    engine = create_engine(url, module=sqlite, pool_size=20, max_overflow=20)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {file.parent} for the database cannot be made: {error.strerror}"
        ) from error


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # or pysqlite opens deferred transactions of its own
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")  # first: the next may have to wait
    _set_journal_mode(cursor, "wal" if wal_is_safe() else "delete")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _set_journal_mode(cursor: Any, mode: str) -> None:
    """Switch a database to `mode`, once in its life.

    Two first connections that switch at the same moment would wait for each other, so SQLite tells
    one of them "locked" at once, whatever the timeout: that one looks again a moment later.
    """
    give_up = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != mode:
        try:
            cursor.execute(f"PRAGMA journal_mode = {mode}")
        except sqlite.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def is_file(engine: Engine) -> bool:
    """Return whether the database is a file of SQLite; else it is a PostgreSQL server."""
    return bool(engine.dialect.name == "sqlite")


@contextmanager
def read(engine: Engine) -> Iterator[Session]:
    """Open a session on one snapshot; nothing that it changes is kept."""
    reader = engine if is_file(engine) else engine.execution_options(**server.READS)
    with in_words(), Session(reader) as session:
        yield session


@contextmanager
def write(engine: Engine, touches: Sequence[str] = ()) -> Iterator[Session]:
    """Open a session that commits once at the end, and raises the revisions named in `touches`.

    Nobody else writes meanwhile. An exception inside rolls everything back. Raises `LockedError`,
    `StorageError`, and `ValueError` for a topic that does not exist.
    """
    revisions.check_topics(touches)
    options = {"writes": True} if is_file(engine) else server.WRITES
    writer = engine.execution_options(**options)
    with in_words(), Session(writer, expire_on_commit=False) as session:
        yield session
        revisions.raise_topics(session, touches)
        session.commit()


@contextmanager
def in_words() -> Iterator[None]:
    """Turn the driver's errors into sentences of `db.errors` where we know one."""
    try:
        yield
    except DatabaseError as error:
        if hasattr(error.orig, "sqlstate"):
            sentence = server.sentence(error.orig)
        else:
            sentence = _sentence(str(error.orig))
        if sentence is None:
            raise
        raise sentence from error


def _sentence(driver_says: str) -> StorageError | None:
    if "locked" in driver_says or "busy" in driver_says:
        return LockedError("another process keeps the database busy: try again in a minute")
    for part, words in _SENTENCES.items():
        if part in driver_says:
            return StorageError(words)
    return None
