"""Read maps of the catalogue, and what colours them: narrow columns of all products at once.

A map is read whole, so what is read of a million products is never a row each. The database joins
the numbers of a group into one text, which NumPy reads: a tenth of the time of rows.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, String, cast, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.pieces import in_parts
from db.queries.products import in_the_feed
from db.schema import Decision, LabelScore, Product, Projection, ProjectionPoint

_HIDDEN = "not_product"
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class MapRow:
    """One map: N products by id, (N,) int64 ids and (N, 2) float32 positions."""

    id: int
    created_at: datetime
    product_ids: Ids
    positions: NDArray[np.float32]


@dataclass(frozen=True)
class ChangedRow:
    """A product that somebody decided about; `shown` is whether it belongs on a map at all."""

    product_id: int
    label: str | None
    shown: bool
    looks_wrong: bool
    score: float | None


def is_drawn(session: Session, model_version_id: int) -> bool:
    """Whether there is a map under this model."""
    found = select(exists().where(Projection.model_version_id == model_version_id))
    return bool(session.scalar(found))


def newest(session: Session, model_version_id: int) -> MapRow | None:
    """Return the newest map under this model, with every product that was placed on it."""
    found = session.scalar(
        select(Projection)
        .where(Projection.model_version_id == model_version_id)
        .order_by(Projection.id.desc())
        .limit(1)
    )
    if found is None:
        return None
    columns = (ProjectionPoint.product_id, ProjectionPoint.x, ProjectionPoint.y)
    text = session.scalar(
        select(_joined(*columns)).where(ProjectionPoint.projection_id == found.id)
    )
    numbers = np.fromstring(text or "", dtype=np.float64, sep=",").reshape(-1, len(columns))
    numbers = numbers[np.argsort(numbers[:, 0], kind="stable")]  # a server keeps no order
    return MapRow(
        *(found.id, found.created_at),
        product_ids=numbers[:, 0].astype(np.int64),
        positions=numbers[:, 1:].astype(np.float32),
    )


def labels(session: Session) -> list[tuple[str | None, Ids]]:
    """Return each label with the products that carry it, by label.

    What is not in the feed or no product photo is left out: a map does not show it.
    """
    query = (
        select(Product.label_current, _joined(Product.id))
        .where(Product.review_state != _HIDDEN)
        .group_by(Product.label_current)
    )
    gone = np.array(list(session.scalars(select(Product.id).where(~in_the_feed()))), np.int64)
    found = [(label, _without(_ids(text), gone)) for label, text in session.execute(query)]
    return sorted(((a, ids) for a, ids in found if len(ids)), key=lambda row: row[0] or "")


def looking_wrong(session: Session, model_version_id: int) -> tuple[Ids, NDArray[np.float32]]:
    """Return (ids, scores) of the products whose label looks wrong and is still open."""
    rows = session.execute(
        select(LabelScore.product_id, LabelScore.score).where(
            LabelScore.model_version_id == model_version_id,
            LabelScore.looks_wrong,
            LabelScore.state == "open",
        )
    ).all()
    return (
        np.array([row.product_id for row in rows], np.int64),
        np.array([row.score or 0.0 for row in rows], np.float32),
    )


def suggestions(session: Session, model_version_id: int) -> list[tuple[str, Ids]]:
    """Return each suggestion with the products that it was made for, by name; stale ones too."""
    query = (
        select(LabelScore.suggestion, _joined(LabelScore.product_id))
        .where(LabelScore.model_version_id == model_version_id)
        .group_by(LabelScore.suggestion)
        .order_by(LabelScore.suggestion)
    )
    return [(suggestion, _ids(text)) for suggestion, text in session.execute(query)]


def stale(session: Session, model_version_id: int) -> Ids:
    """Return the products whose score is not about their present photo and label."""
    query = select(LabelScore.product_id).where(
        LabelScore.model_version_id == model_version_id,
        LabelScore.looks_wrong.in_((False, True)),  # both: so the index of queues answers it
        LabelScore.state.is_(None),
    )
    return np.array(list(session.scalars(query)), np.int64)


def decided_since(session: Session, model_version_id: int, decision_id: int) -> list[ChangedRow]:
    """Return, as they are now, the products that were decided about after a decision, by id."""
    score = (LabelScore.product_id == Product.id) & (
        LabelScore.model_version_id == model_version_id
    )
    decided = select(Decision.product_id).where(Decision.id > decision_id).distinct().subquery()
    query = (
        select(
            *(Product.id, Product.label_current, Product.review_state, Product.retired_run_id),
            *(LabelScore.looks_wrong, LabelScore.state, LabelScore.score),
        )
        .join(decided, decided.c.product_id == Product.id)
        .outerjoin(LabelScore, score)
        .order_by(Product.id)
    )
    return [
        ChangedRow(
            *(row.id, row.label_current),
            shown=row.review_state != _HIDDEN and row.retired_run_id is None,
            looks_wrong=bool(row.looks_wrong) and row.state == "open",
            score=row.score,
        )
        for row in session.execute(query)
    ]


def skus(session: Session, product_ids: list[int]) -> dict[int, str]:
    """Return product id → SKU."""
    found: dict[int, str] = {}
    for part in in_parts(product_ids):
        rows = session.execute(select(Product.id, Product.sku).where(Product.id.in_(part)))
        found.update((row.id, row.sku) for row in rows)
    return found


def _joined(*columns: InstrumentedAttribute[Any]) -> ColumnElement[str]:
    """Return the numbers of these columns, row after row, as one text."""
    row: ColumnElement[str] = cast(columns[0], String)
    for column in columns[1:]:
        row = row + "," + cast(column, String)
    return func.aggregate_strings(row, ",")


def _ids(text: str) -> Ids:
    return np.fromstring(text, dtype=np.int64, sep=",")


def _without(ids: Ids, gone: Ids) -> Ids:
    return ids[~np.isin(ids, gone)] if len(gone) else ids
