"""Read what two models say of the same photos, and what people say of the difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from db.pieces import AT_ONCE
from db.queries.products import in_the_feed
from db.queries.review import fresh
from db.schema import Decision, Difference, Features, LabelScore, Prediction, Product, Verdict
from db.vectors import half_matrix


@dataclass(frozen=True)
class LabelledRow:
    """A product to learn from; `doubted` says that its label looks wrong and nobody decided."""

    id: int
    sku: str
    label: str | None
    image_sha256: str
    stored_image: str
    review_state: str
    doubted: bool


@dataclass(frozen=True)
class OpinionRow:
    """What two models say of a product's present photo; `..._trained` where one learnt from it."""

    id: int
    label: str | None
    image_sha256: str
    review_state: str
    doubted: bool
    old_label: str
    old_confidence: float
    old_trained: bool
    new_label: str
    new_confidence: float
    new_trained: bool


@dataclass(frozen=True)
class DifferenceRow:
    """A product that the new model would put elsewhere; `verdict` is "" before anybody judged."""

    product_id: int
    sku: str
    title: str
    label: str | None
    stored_image: str
    thumbnail: str
    old_label: str
    new_label: str
    old_confidence: float
    new_confidence: float
    verdict: str
    reviewer: str


def labelled(
    session: Session, model_version_id: int, *, after_id: int = 0, limit: int = 5_000
) -> list[LabelledRow]:
    """Return products with their labels, by id, as the last assessment under the model sees them.

    Left out: what is no product photo, what waits for a second look, what left the feed.
    """
    query = (
        select(
            *(Product.id, Product.sku, Product.label_current, Product.image_sha256),
            *(Product.stored_image, Product.review_state, _doubted()),
        )
        .outerjoin(LabelScore, fresh(model_version_id))
        .where(*_to_learn_from(after_id))
        .order_by(Product.id)
        .limit(limit)
    )
    return [LabelledRow(*found) for found in session.execute(query)]


def features(
    session: Session, model_version_id: int, product_ids: Sequence[int]
) -> dict[int, NDArray[np.float32]]:
    """Return product id → (F,) features of its present photo, for those that have them.

    At most 500 products at once.
    """
    query = (
        select(Features.product_id, Features.numbers)
        .join(Product, Product.id == Features.product_id)
        .where(
            Features.model_version_id == model_version_id,
            Features.product_id.in_(product_ids),
            Features.image_sha256 == Product.image_sha256,
        )
    )
    found = session.execute(query).all()
    numbers = half_matrix([row.numbers for row in found])
    return {row.product_id: part for row, part in zip(found, numbers, strict=True)}


def opinions(
    session: Session, old_id: int, new_id: int, *, after_id: int = 0, limit: int = 5_000
) -> list[OpinionRow]:
    """Return what both models say of products that both have looked at, by id."""
    old, new = aliased(Prediction), aliased(Prediction)
    query = (
        select(
            *(Product.id, Product.label_current, Product.image_sha256, Product.review_state),
            *(_doubted(), old.top_label, old.confidence, old.trained_on),
            *(new.top_label, new.confidence, new.trained_on),
        )
        .join(old, _said_by(old, old_id))
        .join(new, _said_by(new, new_id))
        .outerjoin(LabelScore, fresh(old_id))
        .where(in_the_feed(), Product.id > after_id)
        .order_by(Product.id)
        .limit(limit)
    )
    return [OpinionRow(*found) for found in session.execute(query)]


def difference_count(
    session: Session, model_version_id: int, pair: tuple[str, str] | None = None
) -> int:
    """Return how many products the model would put elsewhere, in one way where `pair` says so."""
    query = select(func.count()).select_from(Difference).where(*_of(model_version_id, pair))
    return session.scalar(query) or 0


def difference_pairs(session: Session, model_version_id: int) -> list[tuple[str, str, int]]:
    """Return (old category, new one, products), the most products first."""
    count = func.count()
    query = (
        select(Difference.old_label, Difference.new_label, count)
        .where(*_of(model_version_id))
        .group_by(Difference.old_label, Difference.new_label)
        .order_by(count.desc(), Difference.old_label, Difference.new_label)
    )
    return [(found[0], found[1], found[2]) for found in session.execute(query)]


def differences(
    session: Session,
    model_version_id: int,
    *,
    pair: tuple[str, str] | None = None,
    offset: int = 0,
    limit: int = 24,
) -> list[DifferenceRow]:
    """Return a part of the products that would go elsewhere, those of which it is surest first."""
    # Their numbers alone are sorted: there may be a hundred thousand.
    part = (
        select(Difference.product_id)
        .where(*_of(model_version_id, pair))
        .order_by(Difference.new_confidence.desc(), Difference.product_id)
        .offset(offset)
        .limit(limit)
    )
    shown = _shown(model_version_id).where(Difference.product_id.in_(part))
    query = shown.where(*_of(model_version_id)).order_by(
        Difference.new_confidence.desc(), Difference.product_id
    )
    return [_row(*found) for found in session.execute(query)]


def sample(session: Session, model_version_id: int, limit: int) -> list[DifferenceRow]:
    """Return a sample of those products by chance, the same each time it is asked for."""
    query = (
        _shown(model_version_id)
        .where(*_of(model_version_id))
        .order_by(Difference.draw, Difference.product_id)
        .limit(limit)
    )
    return [_row(*found) for found in session.execute(query)]


def differs(session: Session, model_version_id: int, product_id: int) -> bool:
    """Whether the model would put this product elsewhere."""
    return session.get(Difference, (model_version_id, product_id)) is not None


def verdict_counts(session: Session, model_version_id: int) -> dict[str, int]:
    """Return verdict → how many of the products that differ were given it."""
    query = (
        select(Verdict.verdict, func.count())
        .join(
            Difference,
            and_(
                Difference.model_version_id == Verdict.model_version_id,
                Difference.product_id == Verdict.product_id,
            ),
        )
        .where(Verdict.model_version_id == model_version_id)
        .group_by(Verdict.verdict)
    )
    return dict(session.execute(query).all())


def predicted(
    session: Session, model_version_id: int, *, after_id: int = 0, limit: int = AT_ONCE
) -> Sequence[int]:
    """Return products of which the model has said something, by id."""
    query = (
        select(Prediction.product_id)
        .where(Prediction.model_version_id == model_version_id, Prediction.product_id > after_id)
        .order_by(Prediction.product_id)
        .limit(limit)
    )
    return list(session.scalars(query))


def corrected(session: Session, *, after_decision: int) -> int:
    """Return how many products carry a label that somebody gave them since that decision."""
    undone = select(Decision.undoes_id).where(Decision.undoes_id.is_not(None))
    query = (
        select(func.count(func.distinct(Decision.product_id)))
        # The sum keeps planners from beginning with all products: the decisions are few.
        .join(Product, Product.id == Decision.product_id + 0)
        .where(
            Decision.id > after_decision,
            Decision.action.in_(("accept", "relabel")),
            Decision.id.not_in(undone),
            Decision.label_after == Product.label_current,
            Decision.image_sha256 == Product.image_sha256,
            Product.review_state == "changed",
            in_the_feed(),
        )
    )
    return session.scalar(query) or 0


def last_decision_before(session: Session, moment: datetime) -> int:
    """Return the number of the last decision made before a moment, 0 where there is none."""
    return session.scalar(select(func.max(Decision.id)).where(Decision.decided_at < moment)) or 0


def _doubted() -> ColumnElement[bool]:
    wrong = and_(LabelScore.looks_wrong.is_(True), Product.review_state == "open")
    return func.coalesce(wrong, False)


def _to_learn_from(after_id: int) -> list[ColumnElement[bool]]:
    kept = Product.review_state.not_in(("not_product", "second_look"))
    return [in_the_feed(), kept, Product.id > after_id]


def _said_by(said: type[Prediction], model_version_id: int) -> ColumnElement[bool]:
    return and_(
        said.product_id == Product.id,
        said.model_version_id == model_version_id,
        said.image_sha256 == Product.image_sha256,
    )


def _of(model_version_id: int, pair: tuple[str, str] | None = None) -> list[ColumnElement[bool]]:
    conditions = [Difference.model_version_id == model_version_id]
    if pair is not None:
        conditions += [Difference.old_label == pair[0], Difference.new_label == pair[1]]
    return conditions


def _shown(model_version_id: int) -> Select[Difference, Product, Verdict]:
    given = and_(
        Verdict.product_id == Difference.product_id,
        Verdict.model_version_id == model_version_id,
    )
    return (
        select(Difference, Product, Verdict)
        .join(Product, Product.id == Difference.product_id)
        .outerjoin(Verdict, given)
    )


def _row(found: Difference, product: Product, verdict: Verdict | None) -> DifferenceRow:
    return DifferenceRow(
        product_id=product.id,
        sku=product.sku,
        title=product.title,
        label=product.label_current,
        stored_image=product.stored_image,
        thumbnail=product.thumbnail,
        old_label=found.old_label,
        new_label=found.new_label,
        old_confidence=found.old_confidence,
        new_confidence=found.new_confidence,
        verdict="" if verdict is None else verdict.verdict,
        reviewer="" if verdict is None else verdict.reviewer,
    )
