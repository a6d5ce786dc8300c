"""The map of the catalogue, as the worker drew it, under the labels of now."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import read
from db.queries import models, products, projections


@dataclass(frozen=True)
class MapView:
    """N products on the map: `product_ids` (N,) int64, `x` and `y` (N,) float32.

    `labels` and `suggestions` are empty words where there is none.
    `products_now` is how many products the catalogue has: more than N, and the map is out of date.
    """

    product_ids: NDArray[np.int64]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    skus: list[str]
    labels: list[str]
    suggestions: list[str]
    looks_wrong: NDArray[np.bool_]
    created_at: datetime
    products_now: int
    version: str


def map_view(catalogue: Catalogue) -> MapView | None:
    """Return the newest map under the active model, None where there is none yet."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        drawn = projections.latest(session, model.id) if model else None
        if model is None or drawn is None:
            return None
        total = products.count(session)
    return MapView(
        product_ids=drawn.product_ids,
        x=drawn.positions[:, 0],
        y=drawn.positions[:, 1],
        skus=drawn.skus,
        labels=[label or "" for label in drawn.labels],
        suggestions=[suggestion or "" for suggestion in drawn.suggestions],
        looks_wrong=drawn.looks_wrong,
        created_at=drawn.created_at,
        products_now=total,
        version=model.version,
    )
