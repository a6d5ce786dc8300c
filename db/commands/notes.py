"""Write the sentences about the catalogue as a whole."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import Note


def set_note(session: Session, name: str, text: str, now: datetime) -> None:
    """Store a sentence under `name`, in the place of the one before."""
    note = session.scalar(select(Note).where(Note.name == name))
    if note is None:
        session.add(Note(name=name, text=text, created_at=now))
    else:
        note.text, note.created_at = text, now
