"""Raise the counters that are part of every cache key."""

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.orm import Session

from db.schema import Revision

TOPICS = (
    *("products", "labels", "scores", "embeddings", "models"),
    *("runs", "jobs", "projections", "notes", "exports"),
)


def raise_topics(session: Session, topics: Sequence[str]) -> None:
    """Add one to the counter of each topic. Raises `ValueError` for an unknown one."""
    for topic in sorted(set(topics)):
        if topic not in TOPICS:
            raise ValueError(f"{topic!r} is no revision topic: choose from {', '.join(TOPICS)}")
        changed = session.execute(
            update(Revision).where(Revision.topic == topic).values(value=Revision.value + 1)
        )
        if not changed.rowcount:  # type: ignore[attr-defined]
            session.add(Revision(topic=topic, value=1))
