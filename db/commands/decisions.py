"""Write decisions: one append-only row each, and the product as it stands after."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from db.schema import Decision, Product


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
