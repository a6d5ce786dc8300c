"""Read vectors, always of one model version: they are never compared across versions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries.products import in_the_feed
from db.schema import Embedding, Features, ModelVersion, Product
from db.vectors import half_matrix, matrix


@dataclass(frozen=True)
class VectorTable:
    """N products under one model version, by id: `vectors` (N, D) float32, unit length."""

    product_ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    labels: list[str | None]
    image_sha256: list[str]
    review_states: list[str]


def vectors(session: Session, model_version_id: int) -> VectorTable:
    """Return the vectors of all products in the feed that have one of their present photo."""
    dimension = session.scalar(
        select(ModelVersion.dimension).where(ModelVersion.id == model_version_id)
    )
    rows = session.execute(
        select(
            *(Product.id, Embedding.vector, Product.label_current),
            *(Product.image_sha256, Product.review_state),
        )
        .join(Embedding, Embedding.product_id == Product.id)
        .where(
            Embedding.model_version_id == model_version_id,
            Embedding.image_sha256 == Product.image_sha256,
            in_the_feed(),
        )
        .order_by(Product.id)
    ).all()
    return VectorTable(
        product_ids=np.array([row.id for row in rows], dtype=np.int64),
        vectors=matrix([row.vector for row in rows], dimension or 0),
        labels=[row.label_current for row in rows],
        image_sha256=[row.image_sha256 for row in rows],
        review_states=[row.review_state for row in rows],
    )


def features(
    session: Session, model_version_id: int, product_ids: Sequence[int]
) -> NDArray[np.float32] | None:
    """Return the (N, F) float32 features of products, in their order, None where one has none."""
    found = dict(
        session.execute(
            select(Features.product_id, Features.numbers)
            .join(Product, Product.id == Features.product_id)
            .where(
                Features.model_version_id == model_version_id,
                Features.image_sha256 == Product.image_sha256,
            )
        ).all()
    )
    if not all(product_id in found for product_id in product_ids):
        return None
    return half_matrix([found[product_id] for product_id in product_ids])


def vector(session: Session, model_version_id: int, product_id: int) -> NDArray[np.float32] | None:
    """Return the (D,) vector of one product, None where it has none."""
    found = session.get(Embedding, (product_id, model_version_id))
    return None if found is None else matrix([found.vector], found.dimension).reshape(-1)
