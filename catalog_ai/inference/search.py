"""Nearest neighbours by Euclidean distance (article, part 2: "Performing Visual Search")."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class SearchResult:
    """One retrieved photo: its index in the catalogue, its label, its distance to the query."""

    index: int
    label: str
    distance: float


class ExactIndex:
    """Exact search by one matrix product over (N, D) float32 vectors with (N,) int64 ids."""

    def __init__(self, vectors: Vectors, ids: NDArray[np.int64]) -> None:
        if vectors.ndim != 2 or len(vectors) != len(ids):
            raise ValueError(f"{vectors.shape} vectors do not go with {ids.shape} ids")
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.ids = ids
        self._squares = np.einsum("nd,nd->n", self.vectors, self.vectors)

    def __len__(self) -> int:
        return len(self.ids)

    def search(
        self,
        query: Vectors,
        k: int,
        *,
        allowed: NDArray[np.bool_] | None = None,
        exclude: int | None = None,
    ) -> tuple[NDArray[np.int64], Vectors]:
        """Return (ids, distances) of the at most `k` closest, the closest first, ties by id.

        `query` (D,) float32; `allowed` (N,) marks the rows that may be returned, `exclude` is an id
        that must not. Raises `ValueError` for a query of another dimension.
        """
        if query.shape != self.vectors.shape[1:]:
            raise ValueError(f"a query of {query.shape} meets vectors of {self.vectors.shape[1:]}")
        rows = np.arange(len(self.ids)) if allowed is None else np.flatnonzero(allowed)
        if exclude is not None:
            rows = rows[self.ids[rows] != exclude]
        squared = self._squares[rows] - 2 * (self.vectors @ query)[rows] + query @ query
        near = _smallest(squared, k, self._rounding(query))
        rows = rows[near]
        distances = np.linalg.norm(self.vectors[rows] - query, axis=1).astype(np.float32)
        order = np.lexsort((self.ids[rows], distances))[:k]
        return self.ids[rows][order], distances[order]

    def _rounding(self, query: Vectors) -> float:
        """Return by how much a squared distance that came of a product may be off."""
        return 1e-5 * float(query @ query + self._squares.max(initial=0.0))


def find_closest(embeddings: Vectors, query_embedding: Vectors, k: int = 5) -> NDArray[np.int64]:
    """Return the row numbers of the `k` closest of (N, D) to (D,) or (1, D), the closest first."""
    distances = np.linalg.norm(embeddings - query_embedding.reshape(-1), axis=1)
    closest: NDArray[np.int64] = np.argsort(distances, kind="stable")[:k]
    return closest


def visual_search(query: Any, catalog: Any, encoder: "nn.Module", k: int = 5) -> list[SearchResult]:
    """Return the `k` photos of `catalog` that look most like `query` (article, "Quick Start").

    `query` is a PIL image, a path, or (H, W, 3) uint8; `catalog` a `CatalogDataset`.
    """
    from catalog_ai.data.transforms import validation_transform
    from catalog_ai.inference.embeddings import get_embeddings, get_query_img_embedding

    size = catalog.photos.pixels.shape[1]
    embeddings = get_embeddings(encoder, catalog)
    vector = get_query_img_embedding(encoder, validation_transform(size), query)
    closest = find_closest(embeddings, vector, k)
    distances = np.linalg.norm(embeddings[closest] - vector, axis=1)
    return [
        SearchResult(int(index), catalog.classes[int(catalog.targets[index])], float(distance))
        for index, distance in zip(closest, distances, strict=True)
    ]


def _smallest(values: Vectors, k: int, tolerance: float) -> NDArray[np.int64]:
    """Return the places of the `k` smallest, and of all that might tie with them."""
    if k >= len(values):
        return np.arange(len(values))
    found: NDArray[np.int64] = np.flatnonzero(values <= np.partition(values, k)[k] + tolerance)
    return found
