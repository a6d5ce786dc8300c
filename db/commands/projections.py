"""Write maps of the catalogue."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from db.schema import Projection, ProjectionPoint

KEPT = 2  # the map in use and the one before, which a page may still be drawing


def add_projection(
    session: Session,
    model_version_id: int,
    method: str,
    parameters: dict[str, Any],
    product_ids: Sequence[int],
    positions: NDArray[np.float32],
    now: datetime,
) -> int:
    """Store the (N, 2) `positions` as the model's newest map; return its id."""
    projection = Projection(
        model_version_id=model_version_id,
        method=method,
        parameters=parameters,
        products=len(product_ids),
        created_at=now,
    )
    session.add(projection)
    session.flush()
    points = [
        {"projection_id": projection.id, "product_id": product_id, "x": x, "y": y}
        for product_id, (x, y) in zip(product_ids, positions.tolist(), strict=True)
    ]
    if points:
        session.execute(insert(ProjectionPoint), points)
    return projection.id


def delete_old_projections(session: Session, model_version_id: int) -> None:
    """Delete the model's maps but the newest two."""
    of_model = select(Projection.id).where(Projection.model_version_id == model_version_id)
    old = list(session.scalars(of_model.order_by(Projection.id.desc()).offset(KEPT)))
    session.execute(delete(ProjectionPoint).where(ProjectionPoint.projection_id.in_(old)))
    session.execute(delete(Projection).where(Projection.id.in_(old)))
