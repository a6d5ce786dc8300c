"""Bring a database to the schema of this program: one process at a time, after a backup."""

import fcntl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from db.engine import in_words
from db.errors import SchemaTooNewError

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine, backups: Path, locks: Path) -> str:
    """Create or upgrade the schema and return its revision.

    An existing SQLite database is copied to `backups` before anything changes. Raises
    `SchemaTooNewError` for a database of a later version, `StorageError` for a damaged one.
    """
    config = _config()
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head() or ""
    with in_words():
        if current_revision(engine) == head:
            return head
        with _locked(locks / "upgrade.lock"):
            current = current_revision(engine)
            if current is not None and not _known(script, current):
                raise SchemaTooNewError(
                    f"the database was written by a later version (its schema is {current!r}): "
                    "update this program, or restore an older copy from backups/"
                )
            if current is not None and current != head:
                backup(engine, backups / f"catalog-{current}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
            if current != head:
                _migrate(engine, config)
    return head


def current_revision(engine: Engine) -> str | None:
    """Return the revision of the schema as it stands, None for an empty database."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def backup(engine: Engine, target: Path) -> None:
    """Copy a SQLite database to `target`, consistent while others write; elsewhere do nothing.

    SQLite's own backup does it: opening the live file with `open()` would drop SQLite's locks.
    """
    if engine.dialect.name != "sqlite":
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")  # VACUUM INTO cannot run inside our BEGIN
        connection.exec_driver_sql("VACUUM INTO ?", (str(target),))
        connection.exec_driver_sql("BEGIN")


def _migrate(engine: Engine, config: Config) -> None:
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def run_migrations(connection: Connection) -> None:
    """Entry point of `migrations/env.py`: run what is missing on `connection`."""
    from alembic import context

    from db.schema import Base

    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _known(script: ScriptDirectory, revision: str) -> bool:
    return any(known.revision == revision for known in script.walk_revisions())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold `path` locked; the kernel frees it whatever happens to this process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(path.open("w")) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
