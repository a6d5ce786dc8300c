"""Read ingest runs and their items."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import ModelVersion, Run, RunItem


@dataclass(frozen=True)
class RunRow:
    """One run; `model` is the version that classified its photos."""

    id: int
    source: str
    state: str
    seen: int
    added: int
    updated: int
    unchanged: int
    quarantined: int
    missing: int
    unlisted: int
    second_look: int
    seconds: float
    images_per_second: float
    message: str
    started_at: datetime
    finished_at: datetime | None
    model: str | None


@dataclass(frozen=True)
class RunItemRow:
    """One photo or row that a run changed or could not use."""

    product_id: int | None
    sku: str
    image: str
    outcome: str
    code: str
    reason: str


def latest(session: Session, limit: int) -> list[RunRow]:
    """Return runs, the newest first."""
    query = (
        select(Run, ModelVersion.version)
        .outerjoin(ModelVersion, ModelVersion.id == Run.model_version_id)
        .order_by(Run.id.desc())
        .limit(limit)
    )
    fields = [name for name in RunRow.__dataclass_fields__ if name != "model"]
    return [
        RunRow(**{name: getattr(run, name) for name in fields}, model=version)
        for run, version in session.execute(query)
    ]


def items(session: Session, run_id: int, outcomes: Sequence[str], limit: int) -> list[RunItemRow]:
    """Return what became of the run's photos and rows, in the order in which it met them."""
    query = (
        select(RunItem)
        .where(RunItem.run_id == run_id, RunItem.outcome.in_(outcomes))
        .order_by(RunItem.id)
        .limit(limit)
    )
    fields = list(RunItemRow.__dataclass_fields__)
    return [
        RunItemRow(**{name: getattr(item, name) for name in fields})
        for item in session.scalars(query)
    ]


def newest_product_ids(session: Session, limit: int) -> list[int]:
    """Return products of the last run that added any, in the order in which they came."""
    last = (
        select(RunItem.run_id)
        .where(RunItem.outcome == "added")
        .order_by(RunItem.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(RunItem.product_id)
        .where(RunItem.run_id == last, RunItem.outcome == "added")
        .order_by(RunItem.id)
        .limit(limit)
    )
    return [found for found in session.scalars(query) if found is not None]
