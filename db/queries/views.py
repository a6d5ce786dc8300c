"""Read saved views."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import SavedView


@dataclass(frozen=True)
class SavedViewRow:
    """One view; the fields are those of `schema.SavedView`."""

    name: str
    query: str
    created_by: str
    created_at: datetime


def saved_views(session: Session) -> list[SavedViewRow]:
    """Return all views, by name."""
    return [
        SavedViewRow(row.name, row.query, row.created_by, row.created_at)
        for row in session.scalars(select(SavedView).order_by(SavedView.name))
    ]
