"""Find the nearest vectors through PostgreSQL's index; with SQLite the caller compares them all."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Double, select, text
from sqlalchemy.orm import Session

from db.pieces import nearly_always
from db.queries.products import in_the_feed
from db.schema import Embedding, Product
from db.vectors import to_blob

_LOOKED_AT = 200  # candidates the index keeps at hand: more are found with more, and slower
_AT_MOST = 1000  # what pgvector allows


def nearest(
    session: Session,
    model_version_id: int,
    vector: NDArray[np.float32],
    limit: int,
    *,
    category: str | None = None,
    exclude: int | None = None,
) -> list[tuple[int, float]]:
    """Return (product id, distance) of the `limit` products nearest to `vector`, the closest first.

    `vector` is (64,) float32 of unit length, a distance is Euclidean, 0..2. Products that are
    retired or no product photo are left out, and so are vectors of other photos and models, other
    categories than `category` where one is given, and the product `exclude`. The index (HNSW) is
    approximate: the tests hold it to 98 of 100 true neighbours.
    """
    # Without iterative scans the index hands out its nearest of all models and the filter leaves
    # too few of them. Far away, where another category lies, they lose their way and miss four of
    # ten: there all of the category are compared, in less time.
    looked_at = min(max(_LOOKED_AT, 2 * limit), _AT_MOST)
    goes_on = "relaxed_order" if category is None else "off"
    for setting in (f"ef_search = {looked_at}", f"iterative_scan = {goes_on}"):
        session.execute(text(f"SET LOCAL hnsw.{setting}"))
    blob = to_blob(vector)
    distance: ColumnElement[float] = Embedding.vector.op("<->", return_type=Double())(blob)
    # The index has the negative inner product, which orders vectors of unit length alike.
    product: ColumnElement[float] = Embedding.vector.op("<#>", return_type=Double())(blob)
    query = (
        select(Embedding.product_id, distance)
        .join(Product, Product.id == Embedding.product_id)
        .where(
            Embedding.model_version_id == model_version_id,
            nearly_always(Embedding.image_sha256 == Product.image_sha256),
            Product.review_state != "not_product",
            in_the_feed(),
        )
        .limit(limit)
    )
    if category is not None:
        query = query.where(Product.label_current == category)
    if exclude is not None:
        query = query.where(Product.id != exclude)
    found = session.execute(query.order_by(product)).all()
    if len(found) < limit:  # the index gives up, at the latest after hnsw.max_scan_tuples
        found = session.execute(query.order_by(distance)).all()
    return sorted(((number, float(far)) for number, far in found), key=lambda pair: pair[::-1])
