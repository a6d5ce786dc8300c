"""Read what happened to one product: deliveries and decisions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from db.schema import Batch, Decision, Recheck, Run, RunItem


@dataclass(frozen=True)
class DeliveryRow:
    """What one run did to a product; labels are given where the run moved them."""

    item_id: int
    run_id: int
    source: str
    outcome: str
    reason: str
    label_before: str | None
    label_after: str | None
    happened_at: datetime


@dataclass(frozen=True)
class DecisionMade:
    """One decision; `undone_by` took it back, `batch` are the words of what it was a part of."""

    id: int
    action: str
    label_before: str | None
    label_after: str | None
    reviewer: str
    note: str
    happened_at: datetime
    undone_by: str | None
    batch: str | None
    shown_again: bool


def deliveries(session: Session, product_id: int, limit: int) -> list[DeliveryRow]:
    """Return what runs did to a product, the newest first."""
    query = (
        select(
            *(RunItem.id, Run.id, Run.source, RunItem.outcome, RunItem.reason),
            *(RunItem.label_before, RunItem.label_after, Run.started_at),
        )
        .join(Run, Run.id == RunItem.run_id)
        .where(RunItem.product_id == product_id)
        .order_by(RunItem.id.desc())
        .limit(limit)
    )
    return [DeliveryRow(*found) for found in session.execute(query)]


def decisions(session: Session, product_id: int, limit: int) -> list[DecisionMade]:
    """Return what people decided about a product, the newest first."""
    undo = aliased(Decision)
    columns: list[Any] = [
        *(Decision.id, Decision.action, Decision.label_before, Decision.label_after),
        *(Decision.reviewer, Decision.note, Decision.decided_at, undo.reviewer, Batch.words),
        Recheck.decision_id.is_not(None),
    ]
    query = (
        select(*columns)
        .outerjoin(undo, undo.undoes_id == Decision.id)
        .outerjoin(Batch, Batch.id == Decision.batch_id)
        .outerjoin(Recheck, Recheck.answer_id == Decision.id)
        .where(Decision.product_id == product_id)
        .order_by(Decision.id.desc())
        .limit(limit)
    )
    return [DecisionMade(*found) for found in session.execute(query)]
