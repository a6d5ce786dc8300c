"""Write ingest runs and their items."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from db.schema import Run, RunItem


def start_run(session: Session, source: str, model_version_id: int, now: datetime) -> int:
    """Open a run and return its id; runs left open by a process that died are closed."""
    session.execute(
        update(Run)
        .where(Run.state == "running")
        .values(state="stopped", message="ended without a word; the next run carried on")
    )
    run = Run(source=source, model_version_id=model_version_id, started_at=now)
    session.add(run)
    session.flush()
    return run.id


def add_items(session: Session, run_id: int, items: Iterable[dict[str, Any]]) -> None:
    """Store what became of photos and rows; each has the columns of `schema.RunItem`."""
    rows = [
        {"run_id": run_id, "product_id": None, "code": "", "reason": ""} | item for item in items
    ]
    if rows:
        session.execute(insert(RunItem), rows)


def set_counts(session: Session, run_id: int, **values: Any) -> None:
    """Store counts, seconds, or how the run ended."""
    session.execute(update(Run).where(Run.id == run_id).values(**values))
