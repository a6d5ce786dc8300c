"""Read the review queues: products beside what the last assessment says of their labels.

A score counts only while it is about the product's present photo and label: after a decision or a
delivery it is stale, and the product leaves the queue until the worker has judged it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from db.pieces import in_parts
from db.queries import products
from db.queries.decisions import is_review
from db.queries.products import ProductRow, in_the_feed, row
from db.queries.wanted import (
    DECIDED,
    SCORED,
    Filter,
    Sort,
    conditions,
    decided_conditions,
    last_decision,
    looks_wrong,
    needs_product,
    needs_score,
    order,
    worth,
)
from db.schema import Assessment, Decision, LabelScore, Prediction, Product

_KEPT = 256  # statements: putting one together takes longer than its answer
Columns = TypeVarTuple("Columns")


@dataclass(frozen=True)
class ScoreRow:
    """What the assessment says of one label; `probabilities` is a "<f4" blob along `classes`."""

    label: str | None
    known_label: bool
    classes: tuple[str, ...]
    probabilities: bytes
    suggestion: str
    confidence: float
    score: float | None
    looks_wrong: bool
    neighbours: tuple[int, ...]
    agreement: float | None
    twin_id: int | None = None
    oddity: float | None = None


@dataclass(frozen=True)
class PairRow:
    """How many labels look wrong in one way; `wrong` is how many of them probably are."""

    label: str
    suggestion: str
    count: int
    wrong: float


@dataclass(frozen=True)
class ReviewRow:
    """One product as a reviewer meets it; `score` is None before the first assessment."""

    product: ProductRow
    score: ScoreRow | None
    trained_on: bool


def page(
    session: Session,
    model_version_id: int,
    wanted: Filter,
    sort: Sort,
    *,
    offset: int,
    limit: int | None,
) -> list[ReviewRow]:
    """Return a part of what is wanted, in the order in which it is worked off."""
    query = _page(model_version_id, wanted, sort, offset, limit)
    return [_review_row(*found) for found in session.execute(query)]


@lru_cache(maxsize=_KEPT)
def _page(
    model_version_id: int, wanted: Filter, sort: Sort, offset: int, limit: int | None
) -> Select[Product, LabelScore, list[str], bool]:
    query = _in_order(_rows(model_version_id, wanted.queue), model_version_id, wanted, sort)
    return query.offset(offset).limit(limit)


def numbers(session: Session, model_version_id: int, wanted: Filter, sort: Sort) -> list[int]:
    """Return all that is wanted by number, in the order in which it is worked off."""
    query = _scored(select(Product.id), model_version_id, wanted.queue)
    return list(session.scalars(_in_order(query, model_version_id, wanted, sort)))


def count(session: Session, model_version_id: int, wanted: Filter) -> int:
    """Return how many products are wanted."""
    if wanted == Filter("all"):
        return products.count(session)
    return session.scalar(_count(model_version_id, wanted)) or 0


@lru_cache(maxsize=_KEPT)
def _count(model_version_id: int, wanted: Filter) -> Select[int]:
    query = _counted(model_version_id, wanted, func.count())
    return query.where(*conditions(wanted, model_version_id))


def counts(session: Session, model_version_id: int, wanted: Sequence[Filter]) -> list[int]:
    """Return how many products each of these wants, all asked at once."""
    return list(session.execute(_counts(model_version_id, tuple(wanted))).one())


@lru_cache(maxsize=_KEPT)
def _counts(model_version_id: int, wanted: tuple[Filter, ...]) -> Select[Any]:
    return select(*(_count(model_version_id, each).scalar_subquery() for each in wanted))


def ids(
    session: Session, model_version_id: int, wanted: Filter, *, after: int = 0, limit: int
) -> list[int]:
    """Return the products that are wanted, by number, beyond `after`: to walk through them all."""
    number = Product.id if needs_product(wanted) else LabelScore.product_id
    query = _counted(model_version_id, wanted, number).where(
        *conditions(wanted, model_version_id), number > after
    )
    return list(session.scalars(query.order_by(number).limit(limit)))


def worths(
    session: Session, model_version_id: int, product_ids: list[int], attribute: str
) -> dict[int, float]:
    """Return product id → its score times the number in `attribute`, where it has both."""
    query = (
        select(Product.id, worth(attribute))
        .join(LabelScore, fresh(model_version_id))
        .where(Product.id.in_(product_ids))
    )
    return {number: value for number, value in session.execute(query) if value is not None}


def pairs(session: Session, model_version_id: int) -> list[PairRow]:
    """Return label and suggestion of all that looks wrong, the most wrong ones first."""
    return [
        PairRow(label or "", suggestion, count, chance or 0.0)
        for label, suggestion, count, chance in session.execute(_pairs(model_version_id))
    ]


@lru_cache(maxsize=_KEPT)
def _pairs(model_version_id: int) -> Select[str | None, str, int, float | None]:
    wrong = func.sum(LabelScore.score)
    return (
        select(LabelScore.label, LabelScore.suggestion, func.count(), wrong)
        .where(*looks_wrong(model_version_id))
        .group_by(LabelScore.label, LabelScore.suggestion)
        .order_by(wrong.desc(), LabelScore.label, LabelScore.suggestion)
    )


def one(session: Session, model_version_id: int, product_id: int) -> ReviewRow | None:
    """Return one product, whichever queue it is in."""
    found = session.execute(_one(model_version_id), {"product_id": product_id}).first()
    return None if found is None else _review_row(*found)


@lru_cache(maxsize=_KEPT)
def _one(model_version_id: int) -> Select[Product, LabelScore, list[str], bool]:
    return _rows(model_version_id).where(Product.id == bindparam("product_id"))


def many(
    session: Session, model_version_id: int, product_ids: list[int] | None = None
) -> list[ReviewRow]:
    """Return products with what is known of their labels, by id; None for all in the feed."""
    query = _rows(model_version_id).order_by(Product.id)
    if product_ids is None:
        return [_review_row(*found) for found in session.execute(query.where(in_the_feed()))]
    return [
        _review_row(*found)
        for part in in_parts(sorted(product_ids))
        for found in session.execute(query.where(Product.id.in_(part)))
    ]


def products_by_label(session: Session) -> dict[str, int]:
    """Return label → how many products carry it, the most first."""
    counts = func.count()
    query = (
        select(Product.label_current, counts)
        .where(Product.label_current.is_not(None), in_the_feed())
        .group_by(Product.label_current)
        .order_by(counts.desc(), Product.label_current)
    )
    return {label: number for label, number in session.execute(query) if label}


def decided_count(session: Session, since: datetime | None = None) -> int:
    """Return how many products carry a decision that stands, made at or after `since`."""
    if since is None:
        query = select(func.count()).select_from(Product).where(Product.review_state.in_(DECIDED))
        return session.scalar(query) or 0
    return session.scalar(_decided_since(), {"since": since}) or 0


@cache
def _decided_since() -> Select[int]:
    undone = select(Decision.undoes_id).where(Decision.undoes_id.is_not(None))
    # SQLite would walk through all decisions in the order of their products.
    lately = select(Decision.id).where(Decision.decided_at >= bindparam("since"))
    return (
        select(func.count(func.distinct(Decision.product_id)))
        .join(Product, Product.id == Decision.product_id)
        .where(
            Decision.id.in_(lately),
            Decision.action != "undo",
            Decision.id.not_in(undone),
            is_review(Decision.batch_id),
            Product.review_state.in_(DECIDED),
        )
    )


def fresh(model_version_id: int) -> ColumnElement[bool]:
    """Return the condition that a score is about the product's present photo and label."""
    return and_(
        LabelScore.product_id == Product.id,
        LabelScore.model_version_id == model_version_id,
        LabelScore.image_sha256 == Product.image_sha256,
        or_(
            LabelScore.label == Product.label_current,
            and_(LabelScore.label.is_(None), Product.label_current.is_(None)),
        ),
    )


def _rows(model_version_id: int, queue: str = "") -> Select[Product, LabelScore, list[str], bool]:
    seen = and_(
        Prediction.product_id == Product.id, Prediction.model_version_id == model_version_id
    )
    columns = select(Product, LabelScore, Assessment.classes, Prediction.trained_on)
    return (
        _scored(columns, model_version_id, queue)
        .outerjoin(Assessment, Assessment.id == LabelScore.assessment_id)
        .outerjoin(Prediction, seen)
    )


def _scored(query: Select[*Columns], model_version_id: int, queue: str) -> Select[*Columns]:
    """An inner join lets a query start from the index of what is flagged, not from all products."""
    return query.join(LabelScore, fresh(model_version_id), isouter=queue not in SCORED)


def _in_order(
    query: Select[*Columns], model_version_id: int, wanted: Filter, sort: Sort
) -> Select[*Columns]:
    if wanted.queue == "decided" and sort.by == "score":
        # From the latest decision backwards: a page reads as many as it shows, not all of them.
        query = query.join(Decision, Decision.product_id == Product.id).where(
            Decision.id == last_decision(Decision.product_id), *decided_conditions(wanted)
        )
        return query.order_by(Decision.id.desc())
    return query.where(*conditions(wanted, model_version_id)).order_by(*order(wanted, sort))


def _counted(model_version_id: int, wanted: Filter, *columns: Any) -> Select[Any]:
    if not needs_product(wanted):
        return select(*columns).select_from(LabelScore)
    query = select(*columns).select_from(Product)
    if wanted.queue not in SCORED and not needs_score(wanted):
        return query
    return query.join(LabelScore, fresh(model_version_id), isouter=wanted.queue not in SCORED)


def _review_row(
    product: Product,
    score: LabelScore | None,
    classes: list[str] | None,
    trained_on: bool | None,
) -> ReviewRow:
    judged = None
    if score is not None:
        judged = ScoreRow(
            *(score.label, score.known_label, tuple(classes or ()), score.probabilities),
            *(score.suggestion, score.confidence, score.score, score.looks_wrong),
            neighbours=tuple(score.neighbours),
            agreement=score.agreement,
            twin_id=score.twin_id,
            oddity=score.oddity,
        )
    return ReviewRow(row(product), judged, bool(trained_on))
