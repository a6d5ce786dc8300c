"""Read the log of decisions as what a file of changes is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.pieces import in_parts
from db.schema import Batch, Decision, Product


@dataclass(frozen=True, slots=True)
class Step:
    """One decision, as far as it moves a product; the fields are those of `schema.Decision`."""

    id: int
    product_id: int
    label_given: str | None
    label_before: str | None
    label_after: str | None
    state_after: str
    image_sha256: str
    undoes_id: int | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Who decided what and when; `batch` are the words of the batch that it belongs to."""

    sku: str
    action: str
    reviewer: str
    decided_at: datetime
    note: str
    batch: str | None


def count(session: Session, after: int, *, at_most: int) -> int:
    """Return how many decisions there are after that number, `at_most` where there are more."""
    some = select(Decision.id).where(Decision.id > after).limit(at_most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def histories(session: Session, after: int, up_to: int) -> Iterator[list[Step]]:
    """Yield, for each product decided about after `after` and up to `up_to`, all its decisions.

    Those up to `after` are among them: they say what had been told before. The oldest comes first.
    """
    moved = select(Decision.product_id).where(Decision.id > after, Decision.id <= up_to)
    query = (
        select(*(getattr(Decision, name) for name in Step.__dataclass_fields__))
        .where(Decision.id <= up_to, Decision.product_id.in_(moved))
        .order_by(Decision.product_id, Decision.id)
        .execution_options(yield_per=5_000)
    )
    history: list[Step] = []
    for found in session.execute(query):
        step = Step(*found)
        if history and history[0].product_id != step.product_id:
            yield history
            history = []
        history.append(step)
    if history:
        yield history


def reasons(session: Session, decision_ids: list[int]) -> dict[int, Reason]:
    """Return number of a decision → who made it, and why."""
    found: dict[int, Reason] = {}
    for part in in_parts(decision_ids):
        query = (
            select(
                *(Decision.id, Product.sku, Decision.action, Decision.reviewer),
                *(Decision.decided_at, Decision.note, Batch.words),
            )
            .join(Product, Product.id == Decision.product_id)
            .outerjoin(Batch, Batch.id == Decision.batch_id)
            .where(Decision.id.in_(part))
        )
        for number, sku, action, reviewer, decided_at, note, words in session.execute(query):
            found[number] = Reason(sku, action, reviewer, decided_at, note, words)
    return found
