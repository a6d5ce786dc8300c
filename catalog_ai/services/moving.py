"""Copy a whole catalogue's database to another: from SQLite to a server, back, or between servers.

Photos and models are files in `CATALOG_HOME`, which both databases go with: they stay.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from catalog_ai.config import Settings
from catalog_ai.errors import UsageError
from catalog_ai.services.catalogue import in_plain_words
from db.copying import Progress, TableCopy, copy, occupied
from db.engine import create, read, write
from db.readonly import open_read_only, refuse_newer, schema_state
from db.upgrade import upgrade

__all__ = ["Moved", "TableCopy", "address", "migrate_database"]


@dataclass(frozen=True)
class Moved:
    """What was copied: the schema's revision, and each table as both databases hold it now."""

    schema: str
    tables: tuple[TableCopy, ...]


def address(place: str) -> str:
    """Return a database address for `place`, which is one already or a file of SQLite."""
    return place if "://" in place else f"sqlite:///{Path(place).expanduser().absolute()}"


def migrate_database(
    settings: Settings, source: str, target: str, progress: Progress | None = None
) -> Moved:
    """Copy the database at `source` to `target`, which must hold nothing, and compare both.

    Nothing of `source` changes. All rows are of one moment, and in `target` there are all of them
    or none. Raises `UsageError` for a target that is not empty or a source of another schema,
    `DatabaseError` where one of them cannot be used.
    """
    with in_plain_words(), ExitStack() as closing:
        old = open_read_only(address(source))
        closing.callback(old.dispose)
        _refuse_other_schema(old)
        new = create(address(target))
        closing.callback(new.dispose)
        with read(new) as found:
            _refuse_occupied(occupied(found))
        schema = upgrade(new, settings.backups, settings.locks)
        with read(old) as reader, write(new) as writer:
            _refuse_occupied(occupied(writer))  # somebody may have been quicker
            tables = copy(reader, writer, progress)
    return Moved(schema, tuple(tables))


def _refuse_other_schema(engine: Engine) -> None:
    refuse_newer(engine)
    found = schema_state(engine)
    if found.current is None:
        raise UsageError("the database to copy from is empty: it holds no catalogue")
    if found.current != found.newest:
        raise UsageError(
            f"the database to copy from has the schema {found.current}, this program's is "
            f"{found.newest}: start the program on it once, which upgrades it, and copy it then"
        )


def _refuse_occupied(rows: dict[str, int]) -> None:
    if rows:
        listed = ", ".join(f"{count:,} in {name}" for name, count in rows.items())
        raise UsageError(
            f"the database to copy to holds rows already ({listed}): name one that is empty"
        )
