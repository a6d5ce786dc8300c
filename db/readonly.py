"""Look at a database as it is found: no upgrade, no journal mode switched, no file made.

Checks and backups open it this way, so that neither changes what it is there to look after.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from db.engine import BUSY_TIMEOUT_MS, address_of, create, in_words
from db.errors import SchemaTooNewError, StorageError
from db.upgrade import current_revision, known_revisions, migrations


@dataclass(frozen=True)
class SchemaState:
    """The revision that a database has (None: no tables at all) beside those this program knows."""

    current: str | None
    newest: str
    known: frozenset[str]

    @property
    def is_newer(self) -> bool:
        """Whether a later version of the program wrote it."""
        return self.current is not None and self.current not in self.known


def database_file(url: str) -> Path | None:
    """Return the file of a SQLite address, None for a server. Raises `StorageError`."""
    address = address_of(url)
    if address.get_backend_name() != "sqlite":
        return None
    return Path(address.database or ":memory:").absolute()


def open_read_only(url: str) -> Engine:
    """Return an engine that cannot write. Raises `StorageError` where there is no such file."""
    file = database_file(url)
    if file is None:
        return create(url).execution_options(postgresql_readonly=True)
    if not file.is_file():
        raise StorageError(
            f"there is no database at {file}: check CATALOG_HOME and --database; the first start "
            "of the program makes one"
        )
    return open_file(file)


def open_file(file: Path) -> Engine:
    """Return an engine for one SQLite file that cannot write; its connections are not pooled."""

    def connect() -> Any:
        address = f"file:{quote(str(file.absolute()))}?mode=ro"
        return sqlite.connect(address, uri=True, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, module=sqlite, poolclass=NullPool)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are opened by `_begin`, as in db.engine
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def schema_state(engine: Engine) -> SchemaState:
    """Return the schema as found. Raises `StorageError` for what is no database at all."""
    script = migrations()
    with in_words():
        current = current_revision(engine)
    return SchemaState(current, script.get_current_head() or "", known_revisions(script))


def refuse_newer(engine: Engine) -> None:
    """Raise `SchemaTooNewError` for a database of a later version of the program."""
    found = schema_state(engine)
    if found.is_newer:
        raise SchemaTooNewError(
            f"the database was written by a later version (its schema is {found.current!r}, this "
            f"program knows up to {found.newest!r}): update this program"
        )


def connection_settings() -> dict[str, int]:
    """Return the pragmas `synchronous` and `foreign_keys` that a writing connection gets.

    They belong to a connection, not to a file: a scratch database is asked, with the same SQLite.
    """
    with TemporaryDirectory() as folder:
        engine = create(f"sqlite:///{folder}/scratch.db")
        try:
            with engine.connect() as connection:
                return {
                    name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                    for name in ("synchronous", "foreign_keys")
                }
        finally:
            engine.dispose()
