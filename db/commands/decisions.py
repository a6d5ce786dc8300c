"""Write decisions: one append-only row each, and the product as it stands after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.orm import Session

from db.schema import Claim, Decision, Product

_AT_ONCE = 500  # rows in one statement; SQLite takes 32,766 values at most


@dataclass(frozen=True)
class NewDecision:
    """What somebody decided; the fields are those of `schema.Decision`."""

    product_id: int
    action: str
    label_given: str | None
    label_before: str | None
    label_after: str | None
    state_before: str
    state_after: str
    suggestion: str | None
    score: float | None
    image_sha256: str
    model_version_id: int | None
    reviewer: str
    note: str
    request_key: str
    undoes_id: int | None = None


def decide(session: Session, decision: NewDecision, seen_version: int, now: datetime) -> int | None:
    """Store a decision and what it makes of its product; return its id.

    None, and nothing stored, where the product is no longer at `seen_version`.
    """
    changed = session.execute(
        update(Product)
        .where(Product.id == decision.product_id, Product.version == seen_version)
        .values(
            label_current=decision.label_after,
            review_state=decision.state_after,
            version=Product.version + 1,
            updated_at=now,
        )
        .returning(Product.id)
    )
    if changed.scalar() is None:
        return None
    row = Decision(**vars(decision), decided_at=now)
    session.add(row)
    session.flush()
    return row.id


def decide_many(
    session: Session, decisions: Sequence[NewDecision], batch_id: int, now: datetime
) -> list[int]:
    """Store the decisions of a batch, each about another product, and what they make of them.

    Return their ids.

    The products must have been read in this same transaction: in it nobody else can change them.
    """
    table = cast(Table, Decision.__table__)
    same = {"batch_id": batch_id, "decided_at": now}
    # With RETURNING they go as one statement, which a server answers ten times as fast.
    add = insert(table).returning(table.c.id)
    stored: list[int] = []
    for start in range(0, len(decisions), _AT_ONCE):
        part = decisions[start : start + _AT_ONCE]
        stored += session.scalars(add, [vars(decision) | same for decision in part])
    take_effect(session, batch_id, now)
    return stored


def take_effect(session: Session, batch_id: int, now: datetime) -> None:
    """Let the products of a batch be what its decisions say; nobody needs to look at them now."""
    session.execute(
        update(Product)
        .where(Product.id == Decision.product_id, Decision.batch_id == batch_id)
        .values(
            label_current=Decision.label_after,
            review_state=Decision.state_after,
            version=Product.version + 1,
            updated_at=now,
        )
        .execution_options(synchronize_session=False)
    )
    decided = select(Decision.product_id).where(Decision.batch_id == batch_id)
    session.execute(
        delete(Claim)
        .where(Claim.product_id.in_(decided))
        .execution_options(synchronize_session=False)
    )
