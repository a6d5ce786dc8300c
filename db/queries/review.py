"""Read the review queues: products beside what the last assessment says of their labels.

A score counts only while it is about the product's present photo and label: after a decision or a
delivery it is stale, and the product leaves the queue until the worker has judged it again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from db.queries.products import ProductRow, in_the_feed, row
from db.schema import Assessment, Decision, LabelScore, Prediction, Product

QUEUES = ("wrong", "second_look", "unknown", "decided")
DECIDED = ("kept", "changed", "not_product")
_SCORED = ("wrong", "unknown")  # the queues that depend on the assessment
_AT_ONCE = 500  # ids in one IN list; SQLite takes 32,766 at most


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
    queue: str,
    category: str | None,
    suggestion: str | None = None,
    *,
    offset: int,
    limit: int | None,
) -> list[ReviewRow]:
    """Return a part of one queue, in the order in which it is worked off.

    `category` and `suggestion`, where given, are what the product carries, and what it should.
    """
    query = _rows(model_version_id, queue).where(*_members(queue, category, suggestion))
    query = query.order_by(*_order(queue)).offset(offset).limit(limit)
    return [_review_row(*found) for found in session.execute(query)]


def count(
    session: Session,
    model_version_id: int,
    queue: str,
    category: str | None,
    suggestion: str | None = None,
) -> int:
    """Return how many products wait in one queue."""
    query = _counted(model_version_id, queue, func.count(), joined=suggestion is not None)
    return session.scalar(query.where(*_members(queue, category, suggestion))) or 0


def pairs(session: Session, model_version_id: int) -> list[PairRow]:
    """Return label and suggestion of all that looks wrong, the most wrong ones first."""
    wrong = func.sum(LabelScore.score)
    query = (
        _counted(
            *(model_version_id, "wrong", Product.label_current, LabelScore.suggestion),
            *(func.count(), wrong),
        )
        .where(*_members("wrong", None))
        .group_by(Product.label_current, LabelScore.suggestion)
        .order_by(wrong.desc(), Product.label_current, LabelScore.suggestion)
    )
    return [PairRow(*found) for found in session.execute(query)]


def count_by_category(session: Session, model_version_id: int, queue: str) -> dict[str, int]:
    """Return label → how many products of it wait in one queue, the most first."""
    counts = func.count()
    query = (
        _counted(model_version_id, queue, Product.label_current, counts)
        .where(*_members(queue, None), Product.label_current.is_not(None))
        .group_by(Product.label_current)
        .order_by(counts.desc(), Product.label_current)
    )
    return dict(session.execute(query).all())


def one(session: Session, model_version_id: int, product_id: int) -> ReviewRow | None:
    """Return one product, whichever queue it is in."""
    query = _rows(model_version_id).where(Product.id == product_id)
    found = session.execute(query).first()
    return None if found is None else _review_row(*found)


def many(
    session: Session, model_version_id: int, product_ids: list[int] | None = None
) -> list[ReviewRow]:
    """Return products with what is known of their labels, by id; None for all in the feed."""
    query = _rows(model_version_id).order_by(Product.id)
    if product_ids is None:
        return [_review_row(*found) for found in session.execute(query.where(in_the_feed()))]
    wanted = sorted(set(product_ids))
    parts = (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE))
    return [
        _review_row(*found)
        for part in parts
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
    undone = select(Decision.undoes_id).where(Decision.undoes_id.is_not(None))
    made = (
        select(func.count(func.distinct(Decision.product_id)))
        .join(Product, Product.id == Decision.product_id)
        .where(
            Decision.decided_at >= since,
            Decision.action != "undo",
            Decision.id.not_in(undone),
            Product.review_state.in_(DECIDED),
        )
    )
    return session.scalar(made) or 0


def _members(
    queue: str, category: str | None, suggestion: str | None = None
) -> list[ColumnElement[bool]]:
    by_queue: dict[str, list[ColumnElement[bool]]] = {
        "wrong": [Product.review_state == "open", LabelScore.looks_wrong.is_(True)],
        "second_look": [Product.review_state == "second_look"],
        "unknown": [
            Product.review_state == "open",
            or_(Product.label_current.is_(None), LabelScore.known_label.is_(False)),
        ],
        "decided": [Product.review_state.in_(DECIDED)],
    }
    conditions = [*by_queue[queue], in_the_feed()]
    if category is not None:
        conditions.append(Product.label_current == category)
    if suggestion is not None:
        conditions.append(LabelScore.suggestion == suggestion)
    return conditions


def _order(queue: str) -> list[Any]:
    if queue == "wrong":
        return [LabelScore.score.desc().nulls_last(), Product.id]
    if queue == "unknown":
        return [LabelScore.confidence.desc().nulls_last(), Product.id]
    last = select(func.max(Decision.id)).where(Decision.product_id == Product.id)
    return [last.scalar_subquery().desc().nulls_last(), Product.id.desc()]


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
    return (
        select(Product, LabelScore, Assessment.classes, Prediction.trained_on)
        # An inner join lets "wrong" start from the index of what is flagged, not from all products.
        .join(LabelScore, fresh(model_version_id), isouter=queue != "wrong")
        .outerjoin(Assessment, Assessment.id == LabelScore.assessment_id)
        .outerjoin(Prediction, seen)
    )


def _counted(model_version_id: int, queue: str, *columns: Any, joined: bool = False) -> Select[Any]:
    query = select(*columns).select_from(Product)
    if queue not in _SCORED and not joined:
        return query
    return query.join(LabelScore, fresh(model_version_id), isouter=queue != "wrong")


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
        )
    return ReviewRow(row(product), judged, bool(trained_on))
