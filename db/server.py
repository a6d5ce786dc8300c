"""PostgreSQL: connections, one writer at a time, and what its errors mean.

A writing transaction first takes one lock of the database, which ends with it: what it reads stays
true until it commits, as with SQLite's BEGIN IMMEDIATE. Levels of isolation with retries would let
writers run side by side, but a transaction that is a `with` block cannot be run twice, and ours
are short. It reads with READ COMMITTED: a snapshot would be older than the lock it waited for.
"""

import hashlib
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session

from db.errors import LockedError, StorageError

DRIVER = "postgresql+psycopg"
READS: dict[str, Any] = {"isolation_level": "REPEATABLE READ"}  # one snapshot, however many queries
WRITES: dict[str, Any] = {"isolation_level": "READ COMMITTED", "writes": True}

_REACH = "check that it runs, and CATALOG_DATABASE_URL"
_BUSY = "another process keeps the database busy: try again in a minute"
_PGVECTOR = "ask the administrator for CREATE EXTENSION vector"
# By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES = {
    "22000": "PostgreSQL holds vectors of 64 numbers only: use a model whose vectors have as many",
    "22001": "a text is longer than PostgreSQL's column for it: shorten it where it comes from",
    "25006": "the database may not be written: it is a copy that follows another, so name that one",
    "42501": "the database may not be written: ask the administrator to make this user its owner",
    "42P01": "the database is not this program's: check CATALOG_DATABASE_URL",
    "42P07": "the database holds another program's tables: check CATALOG_DATABASE_URL",
    "53100": "the disk is full: free some space and start again",
    "53300": "the database server has no connection left: close programs, or raise max_connections",
    "57P01": f"the database server was stopped: {_REACH}",
    "57P03": "the database server is just starting: try again in a minute",
    "58030": "the disk refused to read or write the database: check it and start again",
    "58P01": f"the database server lacks pgvector: have it installed there, and {_PGVECTOR}",
    "XX001": "the database is damaged: restore the latest backup",
    "XX002": "the database is damaged: restore the latest backup",
}
_NO_PGVECTOR = {
    "0A000": _STATES["58P01"],  # the extension is not available
    "42501": f"the database lacks pgvector: {_PGVECTOR}",  # permission denied to create it
    "42704": f"the database lacks pgvector: {_PGVECTOR}",  # type "vector" does not exist
}
_LOCKED = ("40001", "40P01", "55P03")  # serialization, deadlock, lock_timeout
# While connecting there is no SQLSTATE, only the server's words.
_CONNECTING = {
    "password authentication failed": "the database server refuses the user or the password: "
    "check both in CATALOG_DATABASE_URL",
    "no password supplied": "the database server asks for a password: "
    "write it into CATALOG_DATABASE_URL",
    "no pg_hba.conf entry": "the database server admits no such user from here: "
    "ask the administrator for a line in pg_hba.conf",
    "does not exist": "the server has no such database or user: "
    "create it, or check CATALOG_DATABASE_URL",
    "too many clients": _STATES["53300"],
    "remaining connection slots": _STATES["53300"],
    "starting up": _STATES["57P03"],
}


def create(address: URL, wait_ms: int) -> Engine:
    """Return an engine that waits `wait_ms` for a lock. Raises `StorageError`."""
    try:
        import pgvector.sqlalchemy  # noqa: F401, teaches SQLAlchemy to recognize a vector column

        engine = create_engine(
            address.set(drivername=DRIVER),
            connect_args={"connect_timeout": address.query.get("connect_timeout", 10)},
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=15,
        )
    except ImportError as error:
        raise StorageError(
            f"a PostgreSQL database needs the package {error.name or 'psycopg-binary'!r}: run "
            "pip install -r requirements-server.txt"
        ) from error

    settings = {
        "lock_timeout": wait_ms,
        "timezone": "UTC",
        "extra_float_digits": 1,  # floats are read as they were written
        "jit": "off",  # of a million products it compiles for longer than a query then takes
        "tcp_keepalives_idle": 30,  # a machine that died must not keep its locks for two hours
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }
    listed = ", ".join(
        f"set_config('{name}', '{value}', false)" for name, value in settings.items()
    )

    def prepare(connection: Any, _record: Any) -> None:
        connection.autocommit = True  # or the settings would end with a transaction
        connection.execute(f"SELECT {listed}")
        connection.autocommit = False

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("write")})


def lock_key(name: str) -> int:
    """Return the number of the database's lock `name`: 64 bits, with a sign."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def sentence(error: Any) -> StorageError | None:
    """Return what one of psycopg's errors means, None where it says nothing about the server."""
    state, said = error.sqlstate, str(error)
    if state in _LOCKED:
        return LockedError(_BUSY)
    if '"vector"' in said and state in _NO_PGVECTOR:
        return StorageError(_NO_PGVECTOR[state])
    if "cannot contain NUL" in said:
        return StorageError("a text holds a null byte, which PostgreSQL cannot store: remove it")
    if state is not None:
        return StorageError(_STATES[state]) if state in _STATES else None
    if type(error).__name__ != "OperationalError" and "Connection" not in type(error).__name__:
        return None
    for part, words in _CONNECTING.items():
        if part in said:
            return StorageError(words)
    return StorageError(f"the database server cannot be reached: {_REACH}")


def learn_sizes(session: Session, table: str) -> None:
    """Let PostgreSQL count a table that has just grown by a lot; elsewhere do nothing.

    It counts by itself a minute later: until then it takes the table for a small one, and what
    compares its rows with each other goes through all of it once for each row.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"ANALYZE {table}"))
