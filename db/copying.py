"""Copy every table of a catalogue to another database, and compare what came of it.

Rows are compared by a hash that is the same on both databases: values as Python reads them, floats
and vectors to the bit, times in UTC, JSON with sorted keys. A table's is the sum of its rows', so
that the order, which depends on how a database sorts text, does not matter.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Table, func, insert, inspect, select, text
from sqlalchemy.orm import Session

from db.errors import StorageError
from db.schema import Base

BATCH = 1000
Progress = Callable[[float, str], None]  # how far, 0..1, and which table


@dataclass(frozen=True)
class TableCopy:
    """One table that was copied: how many rows, and the hash that both databases agree upon."""

    name: str
    rows: int
    sha256: str


def occupied(session: Session) -> dict[str, int]:
    """Return table → rows, of the tables that are there, in whichever schema, and hold any."""
    there = set(inspect(session.connection()).get_table_names())
    counts = {table.name: _count(session, table) for table in _tables() if table.name in there}
    return {name: count for name, count in counts.items() if count}


def copy(source: Session, target: Session, progress: Progress | None = None) -> list[TableCopy]:
    """Copy all tables, those that others refer to first, into empty ones; compare both.

    Raises `StorageError` where `target` then holds something else than `source`: the caller's
    transaction undoes it.
    """
    total = sum(_count(source, table) for table in _tables())
    made, done = [], 0
    for table in _tables():
        read = _Digest()
        for batch in _batches(source, table):
            target.execute(insert(table), [dict(row._mapping) for row in batch])
            read.add(batch)
            done += len(batch)
            if progress is not None:
                progress(done / max(1, total), table.name)
        made.append(_compared(target, table, read))
    if target.get_bind().dialect.name == "postgresql":
        _continue_numbering(target)
    return made


class _Digest:
    """The number of rows seen, and the sum of their hashes."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, batch: list[Row[Any]]) -> None:
        for row in batch:
            self.rows += 1
            self._sum += int.from_bytes(hashlib.sha256(canonical(row)).digest(), "big")

    def hex(self) -> str:
        return f"{self._sum % 2**256:064x}"


def canonical(row: Row[Any]) -> bytes:
    """Return a row in a form that is the same on every database."""
    values = {name: _plain(value) for name, value in row._mapping.items()}
    return json.dumps(values, sort_keys=True, ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    """Return what JSON tells apart: a float is not an integer, a time no text."""
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, datetime):
        return {"time": value.astimezone(UTC).isoformat()}
    return value


def _compared(target: Session, table: Table, read: _Digest) -> TableCopy:
    written = _Digest()
    for batch in _batches(target, table):
        written.add(batch)
    if (written.rows, written.hex()) != (read.rows, read.hex()):
        raise StorageError(
            f"the copy of the table {table.name} differs ({read.rows:,} rows read, "
            f"{written.rows:,} found), so nothing was kept: report this"
        )
    return TableCopy(table.name, read.rows, read.hex())


def _batches(session: Session, table: Table) -> Iterator[list[Row[Any]]]:
    """Yield a table's rows by key; the database keeps what was not asked for yet."""
    query = select(table).order_by(*table.primary_key.columns)
    rows = session.execute(query, execution_options={"yield_per": BATCH})
    for part in rows.partitions():
        yield list(part)


def _continue_numbering(target: Session) -> None:
    """Let PostgreSQL number the next row after those that came with their numbers."""
    for table in _tables():
        if "id" in table.columns:
            target.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) "
                    f"FROM {table.name} HAVING max(id) IS NOT NULL"
                )
            )


def _count(session: Session, table: Table) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def _tables() -> list[Table]:
    return Base.metadata.sorted_tables
