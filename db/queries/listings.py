"""Read whole tables for files, thousands of rows at a time: a million never lie in memory at once.

They come as named tuples, which cost a tenth of what an object of the schema does.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, Select, Text, cast, select
from sqlalchemy.orm import Session, aliased

from db.pieces import in_parts
from db.queries import review
from db.queries.products import in_the_feed
from db.queries.wanted import Filter, Sort
from db.schema import Decision, LabelScore, Product

_AT_ONCE = 5_000


class ListedProduct(NamedTuple):
    """A product as it stands, beside what is suggested for it where a fresh score exists.

    `attributes` are JSON.
    """

    id: int
    sku: str
    label_current: str | None
    suggestion: str | None
    score: float | None
    label_given: str | None
    review_state: str
    title: str
    image_path: str
    image_sha256: str
    attributes: str


class ListedItem(NamedTuple):
    """A product of a queue and its fresh score, if it has one; `neighbours` are JSON.

    Without a score all from `suggestion` on is None.
    """

    id: int
    sku: str
    label_current: str | None
    label_given: str | None
    review_state: str
    title: str
    image_path: str
    image_sha256: str
    suggestion: str | None
    score: float | None
    confidence: float | None
    agreement: float | None
    known_label: bool | None
    neighbours: str | None
    twin_id: int | None


class ListedLabel(NamedTuple):
    """What a product carries, and what became of it."""

    id: int
    label_current: str | None
    review_state: str


class ListedPhoto(NamedTuple):
    """A product's photo and the label that goes with it."""

    id: int
    sku: str
    label_current: str
    stored_image: str
    image_sha256: str


class ListedDecision(NamedTuple):
    """A decision about a product, and whether a later one took it back."""

    id: int
    sku: str
    label_after: str | None
    suggestion: str | None
    score: float | None
    action: str
    label_before: str | None
    label_given: str | None
    reviewer: str
    decided_at: datetime
    note: str
    undone: bool
    image_sha256: str


def products(session: Session, model_version_id: int) -> Iterator[ListedProduct]:
    """Yield all products that are not retired, by id."""
    query = (
        select(*_columns(ListedProduct, Product, LabelScore))
        .outerjoin(LabelScore, review.fresh(model_version_id))
        .where(in_the_feed())
        .order_by(Product.id)
    )
    return map(ListedProduct._make, _pages(session, query, Product.id))


def queue(
    session: Session, model_version_id: int, wanted: Filter, sort: Sort
) -> Iterator[list[ListedItem]]:
    """Yield what is wanted, in the order in which it is worked off, thousands at a time."""
    query = review.in_order(
        model_version_id, wanted, sort, *_columns(ListedItem, Product, LabelScore)
    ).execution_options(yield_per=_AT_ONCE)
    for part in session.execute(query).partitions():
        yield list(map(ListedItem._make, part))


def labels(session: Session) -> Iterator[ListedLabel]:
    """Yield what every product carries, retired ones too, by id."""
    query = select(*_columns(ListedLabel, Product)).order_by(Product.id)
    return map(ListedLabel._make, _pages(session, query, Product.id))


def labels_of(session: Session, product_ids: list[int]) -> Iterator[ListedLabel]:
    """Yield what these products carry, retired ones too."""
    query = select(*_columns(ListedLabel, Product))
    for part in in_parts(product_ids):
        yield from map(ListedLabel._make, session.execute(query.where(Product.id.in_(part))))


def photos(session: Session, *, without: tuple[str, ...]) -> Iterator[ListedPhoto]:
    """Yield the photos of all labelled products that are not retired, by id.

    Those whose review is in one of the states `without` are left out.
    """
    query = (
        select(*_columns(ListedPhoto, Product))
        .where(
            in_the_feed(),
            Product.label_current.is_not(None),
            Product.review_state.not_in(without),
        )
        .order_by(Product.id)
    )
    return map(ListedPhoto._make, _pages(session, query, Product.id))


def decisions(session: Session) -> Iterator[ListedDecision]:
    """Yield all decisions, the newest first."""
    undo = aliased(Decision)
    query = (
        select(
            *(Decision.id, Product.sku, Decision.label_after, Decision.suggestion),
            *(Decision.score, Decision.action, Decision.label_before, Decision.label_given),
            *(Decision.reviewer, Decision.decided_at, Decision.note),
            *(undo.id.is_not(None), Decision.image_sha256),
        )
        .join(Product, Product.id == Decision.product_id)
        .outerjoin(undo, undo.undoes_id == Decision.id)
        .order_by(Decision.id.desc())
    )
    return map(ListedDecision._make, _pages(session, query, Decision.id, falling=True))


def _columns(listed: type[tuple[Any, ...]], *tables: Any) -> list[Any]:
    """Return a column for each field, of the first of the tables that has it."""
    fields: tuple[str, ...] = listed._fields  # type: ignore[attr-defined]
    found = [next(getattr(of, name) for of in tables if hasattr(of, name)) for name in fields]
    # As it is written: to take apart a million texts singly takes longer than all at once.
    return [cast(column, Text) if isinstance(column.type, JSON) else column for column in found]


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
