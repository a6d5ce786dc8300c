"""The map of the catalogue, as the worker drew it, under the labels of now."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import read
from db.queries import models, products, projections
from db.queries import review as review_queries


@dataclass(frozen=True)
class MapView:
    """N products on the map: `product_ids` (N,) int64, `x` and `y` (N,) float32.

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
        rows = {row.product.id: row for row in review_queries.many(session, model.id)}
        total = products.count(session)
    shown = [
        place
        for place, number in enumerate(drawn.product_ids.tolist())
        if number in rows and rows[number].product.review_state != "not_product"
    ]
    ids = drawn.product_ids[shown]
    on_map = [rows[number] for number in ids.tolist()]
    return MapView(
        product_ids=ids,
        x=drawn.positions[shown, 0],
        y=drawn.positions[shown, 1],
        skus=[row.product.sku for row in on_map],
        labels=[row.product.label_current or "" for row in on_map],
        suggestions=[row.score.suggestion if row.score else "" for row in on_map],
        looks_wrong=np.array(
            [
                bool(row.score and row.score.looks_wrong and row.product.review_state == "open")
                for row in on_map
            ],
            dtype=np.bool_,
        ),
        created_at=drawn.created_at,
        products_now=total,
        version=model.version,
    )
