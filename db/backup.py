"""A copy of a SQLite database, made while others write, and whether it is whole."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from db.engine import in_words, read
from db.errors import StorageError
from db.queries import health
from db.readonly import open_file, refuse_newer, schema_state
from db.upgrade import backup


@dataclass(frozen=True)
class CopyFacts:
    """What a checked copy holds: its schema's revision, and table → rows."""

    schema: str
    tables: dict[str, int]


def write_copy(engine: Engine, target: Path) -> None:
    """Write a consistent copy to `target`, which must not exist; half of one is removed.

    Raises `StorageError`, for a full disk too.
    """
    try:
        with in_words():
            backup(engine, target)
        sync(target)  # VACUUM INTO leaves that to its caller
    except BaseException:
        for name in (target.name, f"{target.name}-journal"):
            target.with_name(name).unlink(missing_ok=True)
        raise


def examine(file: Path) -> CopyFacts:
    """Check a copy: integrity, foreign keys, a schema that this program knows; count its rows.

    Raises `StorageError` for a damaged copy, `SchemaTooNewError` for one of a later version.
    """
    engine = open_file(file)
    refuse_newer(engine)
    found = schema_state(engine)
    with read(engine) as session:
        broken = health.integrity(session, full=True) or health.broken_references(session).examples
        if broken:
            raise StorageError(f"the copy {file.name} is damaged: {broken[0]}")
        if found.current is None:
            raise StorageError(f"the copy {file.name} holds no catalogue: it has no tables")
        return CopyFacts(found.current, _counts(session))


def image_names(file: Path) -> Iterator[str]:
    """Yield what a copy names as stored photos, relative to `CATALOG_HOME`, sorted, each once."""
    with read(open_file(file)) as session:
        yield from health.stored_images(session)


def model_names(file: Path) -> list[str]:
    """Return the model versions that a copy names."""
    with read(open_file(file)) as session:
        return list(session.scalars(text("SELECT version FROM model_versions ORDER BY version")))


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, has reached the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _counts(session: Session) -> dict[str, int]:
    names = session.scalars(
        text("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    ).all()
    return {
        name: session.scalar(text(f'SELECT count(*) FROM "{name}"')) or 0 for name in sorted(names)
    }
