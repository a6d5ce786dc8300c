"""Read whole tables for files, a thousand rows at a time: a million never lie in memory at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from db.queries.products import in_the_feed
from db.queries.review import fresh
from db.schema import Decision, LabelScore, Product

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """A product as it stands, beside what is suggested for it where a fresh score exists."""

    id: int
    sku: str
    label_current: str | None
    label_given: str | None
    review_state: str
    title: str
    image_path: str
    image_sha256: str
    attributes: dict[str, Any]
    suggestion: str | None
    score: float | None


@dataclass(frozen=True, slots=True)
class ListedPhoto:
    """A product's photo and the label that goes with it."""

    id: int
    sku: str
    label_current: str
    stored_image: str
    image_sha256: str


@dataclass(frozen=True, slots=True)
class ListedDecision:
    """A decision, and the one that took it back."""

    id: int
    sku: str
    action: str
    label_before: str | None
    label_after: str | None
    label_given: str | None
    suggestion: str | None
    score: float | None
    reviewer: str
    decided_at: datetime
    note: str
    image_sha256: str
    undone_by: int | None


def products(session: Session, model_version_id: int) -> Iterator[ListedProduct]:
    """Yield all products that are not retired, by id."""
    names = [name for name in ListedProduct.__dataclass_fields__ if hasattr(Product, name)]
    query = (
        select(*(getattr(Product, name) for name in names), LabelScore.suggestion, LabelScore.score)
        .outerjoin(LabelScore, fresh(model_version_id))
        .where(in_the_feed())
        .order_by(Product.id)
    )
    for found in _pages(session, query, Product.id):
        yield ListedProduct(*found)


def photos(session: Session, *, without: tuple[str, ...]) -> Iterator[ListedPhoto]:
    """Yield the photos of all labelled products that are not retired, by id.

    Those whose review is in one of the states `without` are left out.
    """
    query = (
        select(*(getattr(Product, name) for name in ListedPhoto.__dataclass_fields__))
        .where(
            in_the_feed(),
            Product.label_current.is_not(None),
            Product.review_state.not_in(without),
        )
        .order_by(Product.id)
    )
    for found in _pages(session, query, Product.id):
        yield ListedPhoto(*found)


def decisions(session: Session) -> Iterator[ListedDecision]:
    """Yield all decisions, the newest first."""
    undo = aliased(Decision)
    query = (
        select(
            *(Decision.id, Product.sku, Decision.action, Decision.label_before),
            *(Decision.label_after, Decision.label_given, Decision.suggestion, Decision.score),
            *(Decision.reviewer, Decision.decided_at, Decision.note, Decision.image_sha256),
            undo.id,
        )
        .join(Product, Product.id == Decision.product_id)
        .outerjoin(undo, undo.undoes_id == Decision.id)
        .order_by(Decision.id.desc())
    )
    for found in _pages(session, query, Decision.id, falling=True):
        yield ListedDecision(*found)


def _pages(
    session: Session, query: Select[*tuple[Any, ...]], key: Any, *, falling: bool = False
) -> Iterator[Any]:
    """Yield all rows of a query that is ordered by `key`, its first column."""
    rows = list(session.execute(query.limit(_AT_ONCE)))
    while rows:
        yield from rows
        last = rows[-1][0]
        beyond = key < last if falling else key > last
        rows = list(session.execute(query.where(beyond).limit(_AT_ONCE)))
