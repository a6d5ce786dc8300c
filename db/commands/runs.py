"""Write ingest runs and their items."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from db.schema import Base, Run, RunItem

# Tables, not classes: both are written with each group of an ingest.
_RUNS, _RUN_ITEMS = (Base.metadata.tables[each.__tablename__] for each in (Run, RunItem))


def start_run(
    session: Session,
    source: str,
    model_version_id: int,
    now: datetime,
    *,
    page: str = "",
    options: Mapping[str, Any] | None = None,
) -> int:
    """Open a run and return its id; runs left open by a process that died are closed.

    `page` is the file that the run's page is written to, "" for none; `options` are what a later
    try needs to read the same delivery.
    """
    session.execute(
        update(Run)
        .where(Run.state == "running")
        .values(state="stopped", message="ended without a word; the next run carried on")
    )
    run = Run(
        source=source,
        model_version_id=model_version_id,
        started_at=now,
        page=page,
        options=dict(options or {}),
    )
    session.add(run)
    session.flush()
    return run.id


def add_items(session: Session, run_id: int, items: Iterable[dict[str, Any]]) -> None:
    """Store what became of photos and rows; each has the columns of `schema.RunItem`."""
    rows = [{"run_id": run_id, **item} for item in items]
    if rows:
        session.execute(insert(_RUN_ITEMS), rows)


def set_counts(session: Session, run_id: int, **values: Any) -> None:
    """Store counts, seconds, or how the run ended."""
    session.execute(update(_RUNS).where(_RUNS.c.id == run_id).values(**values))


def settle_item(session: Session, item_id: int, settled: str) -> bool:
    """Note what a person did about something that could not be used; whether there is such."""
    item = session.get(RunItem, item_id)
    if item is None or item.outcome != "quarantined":
        return False
    item.settled = settled
    return True
