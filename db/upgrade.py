"""Bring a database to the schema of this program: one process at a time, after a backup."""

import fcntl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, TypeDecorator

from db.engine import create, in_words, is_file
from db.errors import SchemaTooNewError, StorageError
from db.locks import held

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine, backups: Path, locks: Path) -> str:
    """Create or upgrade the schema and return its revision.

    An existing SQLite database is copied to `backups` before anything changes. Raises
    `SchemaTooNewError` for a database of a later version, `StorageError` for one that cannot be
    used at all.
    """
    config, script = _config(_MIGRATIONS), migrations()
    head = script.get_current_head() or ""
    with in_words():
        if current_revision(engine) == head:
            return head
        with _alone(engine, locks / "upgrade.lock"):
            current = current_revision(engine)  # another start may have been first
            _refuse_newer(script, current)
            if current is not None and current != head:
                backup(engine, backups / f"catalog-{current}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
            if current != head:
                _migrate(engine, config)
    return head


def migrations() -> ScriptDirectory:
    """Return the migrations that this program has."""
    return ScriptDirectory.from_config(_config(_MIGRATIONS))


def known_revisions(script: ScriptDirectory) -> frozenset[str]:
    """Return the revisions that `script` leads through."""
    return frozenset(revision.revision for revision in script.walk_revisions())


def current_revision(engine: Engine) -> str | None:
    """Return the revision of the schema as it stands, None for an empty database."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def backup(engine: Engine, target: Path) -> None:
    """Copy a SQLite database to `target`, consistent while others write; elsewhere do nothing.

    SQLite's own backup does it: opening the live file with `open()` would drop SQLite's locks. A
    server's administrator has pg_dump for that.
    """
    if not is_file(engine):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")  # VACUUM INTO cannot run inside our BEGIN
        connection.exec_driver_sql("VACUUM INTO ?", (str(target),))
        connection.exec_driver_sql("BEGIN")


def _migrate(engine: Engine, config: Config) -> None:
    """Run what is missing in one transaction: all of it, or nothing."""
    sqlite = is_file(engine)
    with engine.connect().execution_options(writes=True) as connection:
        try:
            if sqlite:
                _suspend_foreign_keys(connection)
            with connection.begin():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                if sqlite:
                    _check_foreign_keys(connection)
        finally:
            connection.invalidate()  # the next user gets a fresh one, with foreign keys on


def _suspend_foreign_keys(connection: Connection) -> None:
    """Let a migration rebuild a table that others refer to; SQLite alters tables in no other way.

    The pragma does nothing inside a transaction, and SQLAlchemy begins one with its first
    statement: hence the driver's own connection.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise StorageError(
            f"the upgrade would have left {len(broken)} rows without what they refer to, "
            "so nothing was changed: report this, and keep using the version before"
        )


def run_migrations(connection: Connection) -> None:
    """Entry point of `migrations/env.py`: run what is missing on `connection`."""
    from alembic import context

    from db.schema import Base

    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        render_item=_render_item,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def draft(message: str, *, url: str, folder: Path = _MIGRATIONS) -> Path:
    """Write the next migration to `folder`: from the last one to the schema as it stands now.

    `url` is an empty scratch database. What Alembic cannot see (checks, triggers, data) is for the
    author to add.
    """
    config = _config(folder)
    number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
    engine = create(url)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        made = command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
    engine.dispose()
    assert isinstance(made, Script)
    return Path(made.path)


def _render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write our own column types as plain ones: a migration must not change when they do."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


def _config(folder: Path) -> Config:
    config = Config()  # no alembic.ini: the program may be started from any folder
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _refuse_newer(script: ScriptDirectory, current: str | None) -> None:
    if current is not None and current not in known_revisions(script):
        raise SchemaTooNewError(
            f"the database was written by a later version (its schema is {current!r}): "
            "update this program, or restore an older copy from backups/"
        )


@contextmanager
def _alone(engine: Engine, path: Path) -> Iterator[None]:
    """Let one process at a time upgrade: by a file, or by the server for all its machines."""
    if is_file(engine):
        with _locked(path):
            yield
    else:
        with held(engine, "upgrade", wait=True):
            yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold `path` locked; the kernel frees it whatever happens to this process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    with closing(file):
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
