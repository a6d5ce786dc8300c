"""Read the sentences about the catalogue as a whole."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import Note


def all_notes(session: Session) -> dict[str, str]:
    """Return name → sentence."""
    return {note.name: note.text for note in session.scalars(select(Note).order_by(Note.id))}


def note(session: Session, name: str) -> str:
    """Return the sentence under a name, "" where there is none."""
    return session.scalar(select(Note.text).where(Note.name == name)) or ""
