"""Read decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.pieces import values_of
from db.schema import Batch, Decision, Product


@dataclass(frozen=True)
class DecisionRow:
    """One decision; `undone` says that a later row takes it back."""

    id: int
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
    reviewer: str
    note: str
    undoes_id: int | None
    request_key: str
    decided_at: datetime
    undone: bool


def latest(
    session: Session,
    *,
    product_id: int | None = None,
    single: bool = False,
    limit: int | None = 50,
) -> list[DecisionRow]:
    """Return decisions, the newest first; `limit` None for all, `single` for those of no batch."""
    query = _with_undone().order_by(Decision.id.desc()).limit(limit)
    if single:
        query = query.where(Decision.batch_id.is_(None))
    if product_id is not None:
        query = query.where(Decision.product_id == product_id)
    return [_row(found, undone) for found, undone in session.execute(query)]


def of_batch(session: Session, batch_id: int, *, after: int, limit: int) -> list[DecisionRow]:
    """Return decisions of a batch by number, beyond `after`."""
    query = (
        _with_undone()
        .where(Decision.batch_id == batch_id, Decision.id > after)
        .order_by(Decision.id)
        .limit(limit)
    )
    return [_row(found, undone) for found, undone in session.execute(query)]


def by_id(session: Session, decision_id: int) -> DecisionRow | None:
    """Return one decision."""
    found = session.execute(_with_undone().where(Decision.id == decision_id)).first()
    return None if found is None else _row(*found)


def by_request_key(session: Session, request_key: str) -> DecisionRow | None:
    """Return the decision that was stored under this key, if it was."""
    found = session.execute(_by_request_key(), {"request_key": request_key}).first()
    return None if found is None else _row(*found)


def last_id(session: Session) -> int | None:
    """Return the number of the newest decision, None before the first."""
    return session.scalar(select(func.max(Decision.id)))


def standing(
    session: Session, product_ids: Sequence[int], *, reviews: bool = False
) -> dict[int, DecisionRow]:
    """Return product id → its latest decision that was not taken back; of `reviews` alone."""
    rows = session.execute(_standing(reviews), {"product_ids": list(product_ids)})
    return {found.product_id: _row(found, undone) for found, undone in rows if undone is None}


def is_review(batch_id: Any) -> ColumnElement[bool]:
    """Return whether a decision of this batch, or of none, was made about its product.

    A renaming is made about a name: it says nothing of what it changes.
    """
    renamings = select(Batch.id).where(Batch.kind == "rename")
    return or_(batch_id.is_(None), batch_id.not_in(renamings))


def confirmed(session: Session) -> list[int]:
    """Return the products whose label somebody gave or kept, looking at their present photo."""
    undone = select(Decision.undoes_id).where(Decision.undoes_id.is_not(None))
    query = (
        select(Product.id)
        .join(Decision, Decision.product_id == Product.id)
        .where(
            Product.review_state.in_(("kept", "changed")),
            Decision.state_after == Product.review_state,
            Decision.image_sha256 == Product.image_sha256,
            Decision.label_after == Product.label_current,
            Decision.action != "undo",
            Decision.id.not_in(undone),
        )
        .distinct()
    )
    return list(session.scalars(query))


def reviewers(session: Session) -> list[str]:
    """Return everybody who decided anything, by name, each by a look into the index."""
    return sorted(session.scalars(_reviewers()))


@cache
def _reviewers() -> Select[str]:
    names = values_of(Decision.reviewer)
    return select(names.c.value).where(names.c.value.is_not(None))


@cache
def _by_request_key() -> Select[Decision, int | None]:
    return _with_undone().where(Decision.request_key == bindparam("request_key"))


@cache
def _standing(reviews: bool) -> Select[Decision, int | None]:
    these = Decision.product_id.in_(bindparam("product_ids", expanding=True))
    query = _with_undone().where(these, Decision.action != "undo").order_by(Decision.id)
    return query.where(is_review(Decision.batch_id)) if reviews else query


def _with_undone() -> Select[Decision, int | None]:
    undo = aliased(Decision)
    return select(Decision, undo.id).outerjoin(undo, undo.undoes_id == Decision.id)


def _row(found: Decision, undone_by: int | None) -> DecisionRow:
    fields = [name for name in DecisionRow.__dataclass_fields__ if name != "undone"]
    values = {name: getattr(found, name) for name in fields}
    return DecisionRow(**values, undone=undone_by is not None)
