"""Read what a model said of each photo."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import Prediction
from db.vectors import matrix


def probabilities(
    session: Session, model_version_id: int, product_ids: Sequence[int], n_classes: int
) -> NDArray[np.float32]:
    """Return (N, n_classes) float32, a row per product; `KeyError` for one never predicted."""
    stored = session.execute(
        select(Prediction.product_id, Prediction.probabilities).where(
            Prediction.model_version_id == model_version_id
        )
    )
    blobs = {row.product_id: row.probabilities for row in stored}
    return matrix([blobs[product_id] for product_id in product_ids], n_classes)
