"""Which decisions of a batch can be taken back: those whose products are still as they left them.

A decision can be where nobody took it back on its own, no later one about its product stands, and
label, state, photo and the feed's label are what they were. The feed's label may be spelled
differently by now; which spellings are one label no database knows: `same` names those pairs.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, not_, select
from sqlalchemy.orm import Session, aliased

from db.queries.batches import Member, Pairs, one_label
from db.schema import Decision, Product


@dataclass(frozen=True, slots=True)
class Restored:
    """So many products of one label that would get label and state back."""

    label: str | None
    before: str | None
    state: str
    count: int


def spelled_otherwise(session: Session, batch_id: int) -> list[tuple[str, str]]:
    """Return the feed's label now and then, each pair once, where they are not the same letters."""
    now, then = (func.coalesce(one.label_given, "") for one in (Product, Decision))
    query = _rows([now, then], batch_id).where(now != then).distinct()
    return [(one, other) for one, other in session.execute(query)]


def counts(session: Session, batch_id: int, same: Pairs) -> list[Restored]:
    """Return what would be given back."""
    what = Decision.label_after, Decision.label_before, Decision.state_before
    query = _rows([*what, func.count()], batch_id).where(_can_be(same)).group_by(*what)
    return [Restored(*found) for found in session.execute(query)]


def size(session: Session, batch_id: int) -> int:
    """Return how many decisions a batch has."""
    query = select(func.count()).where(Decision.batch_id == batch_id)
    return session.scalar(query) or 0


def others(session: Session, batch_id: int, same: Pairs, limit: int) -> list[Member]:
    """Return the first decisions of a batch that cannot be taken back, with their products."""
    undo = aliased(Decision)
    names = [name for name in Member.__dataclass_fields__ if name not in {"sku", "undone_by"}]
    columns = [getattr(Decision, name) for name in names]
    query = (
        _rows([*columns, Product.sku, func.coalesce(undo.reviewer, "")], batch_id)
        .outerjoin(undo, undo.undoes_id == Decision.id)
        .where(not_(_can_be(same)))
        .order_by(Decision.id)
        .limit(limit)
    )
    return [Member(*found) for found in session.execute(query)]


def rows(columns: list[Any], batch_id: int, same: Pairs) -> Select[Any]:
    """Return a query for what can be taken back, in the order in which it was decided."""
    return _rows(columns, batch_id).where(_can_be(same)).order_by(Decision.id)


def _rows(columns: list[Any], batch_id: int) -> Select[Any]:
    of_it: Select[Any] = select(*columns).select_from(Decision)
    return of_it.join(Product, Product.id == Decision.product_id).where(
        Decision.batch_id == batch_id
    )


def _can_be(same: Pairs) -> ColumnElement[bool]:
    return and_(
        ~_taken_back(Decision),
        ~_overtaken(),
        Product.label_current.is_not_distinct_from(Decision.label_after),
        Product.review_state == Decision.state_after,
        Product.image_sha256 == Decision.image_sha256,
        one_label(Product.label_given, Decision.label_given, same),
    )


def _taken_back(decision: Any) -> ColumnElement[bool]:
    undo = aliased(Decision)
    return exists().where(undo.undoes_id == decision.id).correlate(decision)


def _overtaken() -> ColumnElement[bool]:
    """A later decision about the product stands; order is by number, never by clock."""
    later = aliased(Decision)
    stands = (later.action != "undo", ~_taken_back(later))
    of_it = (later.product_id == Decision.product_id, later.id > Decision.id)
    return exists().where(*of_it, *stands).correlate(Decision)
