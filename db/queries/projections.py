"""Read maps of the catalogue."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.schema import Projection, ProjectionPoint


@dataclass(frozen=True)
class MapRow:
    """One map: (N,) int64 product ids and (N, 2) float32 positions."""

    id: int
    created_at: datetime
    product_ids: NDArray[np.int64]
    positions: NDArray[np.float32]


def is_drawn(session: Session, model_version_id: int) -> bool:
    """Whether there is a map under this model."""
    found = select(exists().where(Projection.model_version_id == model_version_id))
    return bool(session.scalar(found))


def latest(session: Session, model_version_id: int) -> MapRow | None:
    """Return the newest map under this model."""
    newest = session.scalar(
        select(Projection)
        .where(Projection.model_version_id == model_version_id)
        .order_by(Projection.id.desc())
        .limit(1)
    )
    if newest is None:
        return None
    points = session.execute(
        select(ProjectionPoint.product_id, ProjectionPoint.x, ProjectionPoint.y)
        .where(ProjectionPoint.projection_id == newest.id)
        .order_by(ProjectionPoint.product_id)
    ).all()
    return MapRow(
        *(newest.id, newest.created_at),
        product_ids=np.array([point.product_id for point in points], dtype=np.int64),
        positions=np.array([(point.x, point.y) for point in points], np.float32).reshape(-1, 2),
    )
