"""Read which files were handed out."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import Export


@dataclass(frozen=True)
class ExportRow:
    """A file that was handed out; the fields are those of `schema.Export`."""

    id: int
    kind: str
    format: str
    file_name: str
    rows: int
    sha256: str
    after_decision_id: int | None
    last_decision_id: int | None
    created_by: str
    created_at: datetime


_COLUMNS = [getattr(Export, name) for name in ExportRow.__dataclass_fields__]


def latest(session: Session, kind: str, *, limit: int | None = None) -> list[ExportRow]:
    """Return the files of one kind, the newest first; `limit` None for all."""
    query = select(*_COLUMNS).where(Export.kind == kind).order_by(Export.id.desc()).limit(limit)
    return [ExportRow(*found) for found in session.execute(query)]


def by_id(session: Session, kind: str, number: int) -> ExportRow | None:
    """Return the file of that kind and number."""
    query = select(*_COLUMNS).where(Export.kind == kind, Export.id == number)
    found = session.execute(query).first()
    return None if found is None else ExportRow(*found)
