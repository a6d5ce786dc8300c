"""Read the counters that are part of every cache key."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import Revision


def revisions(session: Session) -> dict[str, int]:
    """Return topic → how many transactions changed it; topics never touched are absent."""
    rows = session.execute(select(Revision.topic, Revision.value))
    return {row.topic: row.value for row in rows}
