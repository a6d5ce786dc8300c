"""Raise the counters that are part of every cache key."""

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.orm import Session

TOPICS = (
    *("products", "labels", "scores", "embeddings", "models"),
    *("runs", "jobs", "projections", "notes", "exports", "trials", "views"),
)
# One statement, so that two first writers on a server cannot both insert the row.
_RAISE = text(
    "INSERT INTO revisions (topic, value) VALUES (:topic, 1) "
    "ON CONFLICT (topic) DO UPDATE SET value = revisions.value + 1"
)


def check_topics(topics: Iterable[str]) -> None:
    """Raise `ValueError` for a topic that does not exist."""
    for topic in topics:
        if topic not in TOPICS:
            raise ValueError(f"{topic!r} is no revision topic: choose from {', '.join(TOPICS)}")


def raise_topics(session: Session, topics: Iterable[str]) -> None:
    """Add one to the counter of each topic, always in the same order: no deadlocks on a server."""
    rows = [{"topic": topic} for topic in sorted(set(topics))]
    if rows:
        session.execute(_RAISE, rows)
