"""Write saved views."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from db.schema import SavedView


def save(session: Session, name: str, query: str, created_by: str, now: datetime) -> None:
    """Store a view, in the place of one of the same name."""
    forget(session, name)
    session.add(SavedView(name=name, query=query, created_by=created_by, created_at=now))


def forget(session: Session, name: str) -> None:
    """Delete the view of that name."""
    session.execute(delete(SavedView).where(SavedView.name == name))
