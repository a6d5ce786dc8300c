"""Write products and what a model says of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import update
from sqlalchemy.orm import Session

from db.schema import Embedding, Prediction, Product
from db.vectors import to_blob


@dataclass(frozen=True)
class Output:
    """What a model says of one photo: (C,) probabilities, a (D,) vector of unit length."""

    image_sha256: str
    probabilities: NDArray[np.float32]
    vector: NDArray[np.float32]
    top_label: str
    trained_on: bool


def add_product(session: Session, now: datetime, **columns: Any) -> int:
    """Store a new product with the columns of `schema.Product`; return its id."""
    product = Product(**columns, created_at=now, updated_at=now)
    session.add(product)
    session.flush()
    return product.id


def update_product(session: Session, product_id: int, now: datetime, **columns: Any) -> None:
    """Change columns of a product, and raise its version: whoever saw it before saw another."""
    session.execute(
        update(Product)
        .where(Product.id == product_id)
        .values(**columns, version=Product.version + 1, updated_at=now)
    )


def store_output(session: Session, product_id: int, model_version_id: int, output: Output) -> None:
    """Store prediction and embedding together, in the place of those of an earlier photo."""
    key = {
        "product_id": product_id,
        "model_version_id": model_version_id,
        "image_sha256": output.image_sha256,
    }
    session.merge(
        Prediction(
            **key,
            probabilities=to_blob(output.probabilities),
            top_label=output.top_label,
            confidence=float(output.probabilities.max(initial=0.0)),
            trained_on=output.trained_on,
        )
    )
    session.merge(Embedding(**key, dimension=len(output.vector), vector=to_blob(output.vector)))
