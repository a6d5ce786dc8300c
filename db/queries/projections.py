"""Read maps of the catalogue."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.queries.products import in_the_feed
from db.queries.review import fresh
from db.schema import LabelScore, Product, Projection, ProjectionPoint


@dataclass(frozen=True)
class MapRow:
    """One map: N products in columns, (N,) int64 ids, (N, 2) float32 positions, (N,) flags.

    `suggestions` are None where no score is about the present photo and label.
    """

    id: int
    created_at: datetime
    product_ids: NDArray[np.int64]
    positions: NDArray[np.float32]
    skus: list[str]
    labels: list[str | None]
    suggestions: list[str | None]
    looks_wrong: NDArray[np.bool_]


def is_drawn(session: Session, model_version_id: int) -> bool:
    """Whether there is a map under this model."""
    found = select(exists().where(Projection.model_version_id == model_version_id))
    return bool(session.scalar(found))


def latest(session: Session, model_version_id: int) -> MapRow | None:
    """Return the newest map under this model; what is not a product photo is left out."""
    newest = session.scalar(
        select(Projection)
        .where(Projection.model_version_id == model_version_id)
        .order_by(Projection.id.desc())
        .limit(1)
    )
    if newest is None:
        return None
    points = session.execute(
        select(
            *(Product.id, ProjectionPoint.x, ProjectionPoint.y, Product.sku),
            *(Product.label_current, Product.review_state),
            *(LabelScore.suggestion, LabelScore.looks_wrong),
        )
        .join(ProjectionPoint, ProjectionPoint.product_id == Product.id)
        .outerjoin(LabelScore, fresh(model_version_id))
        .where(
            ProjectionPoint.projection_id == newest.id,
            Product.review_state != "not_product",
            in_the_feed(),
        )
        .order_by(Product.id)
    ).all()
    return MapRow(
        *(newest.id, newest.created_at),
        product_ids=np.array([point.id for point in points], dtype=np.int64),
        positions=np.array([(point.x, point.y) for point in points], np.float32).reshape(-1, 2),
        skus=[point.sku for point in points],
        labels=[point.label_current for point in points],
        suggestions=[point.suggestion for point in points],
        looks_wrong=np.array(
            [bool(point.looks_wrong) and point.review_state == "open" for point in points],
            dtype=np.bool_,
        ),
    )
