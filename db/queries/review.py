"""Read the review queues: products beside what the last assessment says of their labels.

A score counts only while it is about the product's present photo and label: after a decision or a
delivery it is stale, and the product leaves the queue until the worker has judged it again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from db.pieces import in_parts, nearly_always
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
    is_latest,
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
    # Numbers alone are sorted: whole rows of a hundred thousand would not fit into memory.
    shown = list(session.scalars(_page(model_version_id, wanted, sort, offset, limit)))
    found = {
        row.product.id: row
        for part in in_parts(shown)
        for row in _review_rows(session.execute(_these(model_version_id), {"ids": part}))
    }
    return [found[number] for number in shown]


@lru_cache(maxsize=_KEPT)
def _page(
    model_version_id: int, wanted: Filter, sort: Sort, offset: int, limit: int | None
) -> Select[int]:
    query = _scored(select(Product.id), model_version_id, wanted.queue)
    return _in_order(query, model_version_id, wanted, sort).offset(offset).limit(limit)


@lru_cache(maxsize=16)
def _these(model_version_id: int) -> Select[Product, LabelScore, list[str], bool]:
    return _rows(model_version_id).where(Product.id.in_(bindparam("ids", expanding=True)))


def in_order(
    model_version_id: int, wanted: Filter, sort: Sort, *columns: Any
) -> Select[*tuple[Any, ...]]:
    """Return these columns of all that is wanted, in the order in which it is worked off."""
    query = _scored(select(*columns).select_from(Product), model_version_id, wanted.queue)
    return _in_order(query, model_version_id, wanted, sort)


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
    if product_ids is None:
        query = _rows(model_version_id).where(in_the_feed()).order_by(Product.id)
        return list(_review_rows(session.execute(query)))
    query = _these(model_version_id).order_by(Product.id)
    return [
        row
        for part in in_parts(sorted(product_ids))
        for row in _review_rows(session.execute(query, {"ids": part}))
    ]


def products_by_label(session: Session) -> dict[str, int]:
    """Return label → how many products carry it, the most first.

    An index on labels answers for all products, another for the few that were retired.
    """
    all_of_them = select(Product.label_current, func.count()).group_by(Product.label_current)
    retired = select(Product.id).where(Product.retired_run_id.is_not(None))
    counts = Counter(_by_label(session, all_of_them))
    counts.subtract(_by_label(session, all_of_them.where(Product.id.in_(retired))))
    carried = [(label, number) for label, number in counts.items() if label and number]
    return dict(sorted(carried, key=lambda found: (-found[1], found[0])))


def _by_label(session: Session, query: Select[str | None, int]) -> dict[str, int]:
    return {label or "": number for label, number in session.execute(query)}


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
    same_label = or_(
        LabelScore.label == Product.label_current,
        and_(LabelScore.label.is_(None), Product.label_current.is_(None)),
    )
    return and_(
        LabelScore.product_id == Product.id,
        LabelScore.model_version_id == model_version_id,
        nearly_always(and_(LabelScore.image_sha256 == Product.image_sha256, same_label)),
    )


def _rows(model_version_id: int) -> Select[Product, LabelScore, list[str], bool]:
    seen = and_(
        Prediction.product_id == Product.id, Prediction.model_version_id == model_version_id
    )
    columns = select(Product, LabelScore, Assessment.classes, Prediction.trained_on)
    return (
        columns.outerjoin(LabelScore, fresh(model_version_id))
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
            is_latest(), *decided_conditions(wanted)
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


def _review_rows(found: Iterable[Any]) -> Iterator[ReviewRow]:
    return (_review_row(*columns) for columns in found)


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
