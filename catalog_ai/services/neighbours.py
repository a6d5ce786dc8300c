"""What lies near a vector: all are compared in memory, or a server looks into its index of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog_ai.inference.search import ExactIndex
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import is_file, read
from db.queries import embeddings, models
from db.queries.nearest import nearest

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class InMemory:
    """The vectors of all products under the active model, with the labels to filter by."""

    version: str
    index: ExactIndex
    labels: NDArray[np.str_]


@dataclass(frozen=True)
class OnServer:
    """A model whose vectors stay on a PostgreSQL server: a million would fill each dashboard."""

    version: str
    model_id: int


CatalogueIndex = InMemory | OnServer


def search(
    catalogue: Catalogue,
    known: CatalogueIndex,
    vector: Vector,
    k: int,
    *,
    category: str | None = None,
    exclude: int | None = None,
) -> list[tuple[int, float]]:
    """Return (product id, Euclidean distance) of the at most `k` nearest, the nearest first."""
    if isinstance(known, OnServer):
        with in_plain_words(), read(catalogue.engine) as session:
            return nearest(session, known.model_id, vector, k, category=category, exclude=exclude)
    allowed = None if category is None else known.labels == category
    ids, distances = known.index.search(vector, k, allowed=allowed, exclude=exclude)
    return list(zip(ids.tolist(), distances.tolist(), strict=True))


def load_index(catalogue: Catalogue) -> CatalogueIndex | None:
    """Return what search needs, None without a model. What is not a product photo is left out."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        if model is None:
            return None
        if not is_file(catalogue.engine):
            return OnServer(model.version, model.id)
        table = embeddings.vectors(session, model.id)
    kept = np.array([state != "not_product" for state in table.review_states], dtype=np.bool_)
    labels = np.array([label or "" for label in table.labels], dtype=np.str_)
    index = ExactIndex(table.vectors[kept], table.product_ids[kept])
    return InMemory(model.version, index, labels[kept])
