"""Write products and what a model says of them, a batch at a time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from db.schema import (
    Base,
    Embedding,
    Features,
    Prediction,
    Product,
    ProductPhoto,
    RefusedPhoto,
)
from db.vectors import halves, to_blob

# Tables, not classes: a nightly writes millions of rows, and the ORM would look at each twice.
_PRODUCTS, _PREDICTIONS, _EMBEDDINGS, _FEATURES = (
    Base.metadata.tables[each.__tablename__] for each in (Product, Prediction, Embedding, Features)
)


@dataclass(frozen=True)
class Output:
    """What a model says of one photo: (C,) probabilities, a (D,) vector of unit length, (F,)."""

    image_sha256: str
    probabilities: NDArray[np.float32]
    vector: NDArray[np.float32]
    features: NDArray[np.float16]
    top_label: str
    trained_on: bool


def add_products(
    session: Session, now: datetime, rows: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Store new products, each with columns of `schema.Product`; return SKU → id."""
    if not rows:
        return {}
    values = [{**row, "created_at": now, "updated_at": now} for row in rows]
    statement = insert(_PRODUCTS).returning(_PRODUCTS.c.sku, _PRODUCTS.c.id)
    return {added.sku: added.id for added in session.execute(statement, values)}


def update_product(session: Session, product_id: int, now: datetime, **columns: Any) -> None:
    """Change columns of a product, and raise its version: whoever saw it before saw another."""
    session.execute(
        update(Product)
        .where(Product.id == product_id)
        .values(**columns, version=Product.version + 1, updated_at=now)
    )


def retire(session: Session, product_ids: Sequence[int], run_id: int, now: datetime) -> None:
    """Hide products that a run's feed no longer had."""
    session.execute(
        update(Product)
        .where(Product.id.in_(product_ids))
        .values(retired_run_id=run_id, version=Product.version + 1, updated_at=now)
    )


def store_further_photos(
    session: Session, product_id: int, photos: Sequence[Mapping[str, Any]]
) -> None:
    """Put the further photos of a product, in their order, in the place of those it had."""
    session.execute(delete(ProductPhoto).where(ProductPhoto.product_id == product_id))
    if photos:
        rows = [
            {**photo, "product_id": product_id, "position": position}
            for position, photo in enumerate(photos, 1)
        ]
        session.execute(insert(ProductPhoto), rows)


def store_outputs(
    session: Session,
    model_version_id: int,
    preprocessing_version: int,
    outputs: Mapping[int, Output],
    *,
    new: Collection[int] = (),
) -> None:
    """Store product id → prediction, embedding and features, in the place of earlier photos'.

    Products of `new` were added a moment ago: nothing is to be replaced.
    """
    if not outputs:
        return
    ids = [product_id for product_id in outputs if product_id not in new]
    if ids:
        for table in (_PREDICTIONS, _EMBEDDINGS, _FEATURES):
            session.execute(
                delete(table).where(
                    table.c.model_version_id == model_version_id, table.c.product_id.in_(ids)
                )
            )
    keys = [
        {
            "product_id": product_id,
            "model_version_id": model_version_id,
            "image_sha256": output.image_sha256,
        }
        for product_id, output in outputs.items()
    ]
    said = list(outputs.values())
    session.execute(
        insert(_PREDICTIONS),
        [
            {
                **key,
                "probabilities": to_blob(output.probabilities),
                "top_label": output.top_label,
                "confidence": float(output.probabilities.max(initial=0.0)),
                "trained_on": output.trained_on,
            }
            for key, output in zip(keys, said, strict=True)
        ],
    )
    session.execute(
        insert(_EMBEDDINGS),
        [
            {
                **key,
                "preprocessing_version": preprocessing_version,
                "dimension": len(output.vector),
                "vector": to_blob(output.vector),
            }
            for key, output in zip(keys, said, strict=True)
        ],
    )
    session.execute(
        insert(_FEATURES),
        [
            {**key, "numbers": halves(output.features)}
            for key, output in zip(keys, said, strict=True)
        ],
    )


def store_refused(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remember bytes that the decoder refused; each has the columns of `schema.RefusedPhoto`."""
    if not rows:
        return
    digests = [row["image_sha256"] for row in rows]
    forget_refused(session, digests)
    session.execute(insert(RefusedPhoto), list(rows))


def forget_refused(session: Session, digests: Sequence[str]) -> None:
    """Let bytes be tried again that were refused."""
    session.execute(delete(RefusedPhoto).where(RefusedPhoto.image_sha256.in_(digests)))
