"""How good a classifier and a vector are. All of it is numpy; no photo is its own answer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class RetrievalMetrics:
    """Visual search with each of N labelled photos as the query, never its own answer.

    `top1`, `top5`: share of queries with the same category first, or among the first five.
    `map_at_r`: mean average precision at R, the number of other photos of the query's category
    (Musgrave et al. 2020, "A Metric Learning Reality Check", section 3.2). Distances are Euclidean
    means over all pairs. A photo that nothing else shares its category with is no query.
    """

    top1: float
    top5: float
    map_at_r: float
    same_class_distance: float
    different_class_distance: float


def accuracy(predicted: Labels, targets: Labels) -> float:
    """Return the share of (N,) predictions that are right, 0..1; 0 for none."""
    return float((predicted == targets).mean()) if len(targets) else 0.0


def confusion_matrix(predicted: Labels, targets: Labels, n_classes: int) -> Labels:
    """Return (C, C) int64 counts: rows are the true category, columns the predicted one."""
    matrix = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(matrix, (targets, predicted), 1)
    return matrix


def per_class_accuracy(confusion: Labels) -> NDArray[np.float64]:
    """Return (C,) shares of each row that lie on the diagonal; nan for an empty row."""
    totals = confusion.sum(1)
    shares: NDArray[np.float64] = np.full(len(confusion), np.nan)
    np.divide(np.diag(confusion), totals, out=shares, where=totals > 0)
    return shares


def retrieval_metrics(
    vectors: NDArray[np.float32],
    targets: Labels,
    gallery: NDArray[np.float32] | None = None,
    gallery_targets: Labels | None = None,
) -> RetrievalMetrics:
    """Return the metrics of (N, D) vectors with (N,) labels; nan where no query or pair exists.

    The N are searched among themselves, and among the (M, D) of `gallery` with labels of their own.
    """
    every, labels = vectors, targets
    if gallery is not None and gallery_targets is not None:
        every = np.concatenate([vectors, gallery])
        labels = np.concatenate([targets, gallery_targets])
    relevant = np.bincount(labels, minlength=1)[targets] - 1
    ranked = np.zeros(3)  # sums over queries: first, among five, average precision at R
    spread = np.zeros((2, 2))  # per (different, same): sum of distances, number of pairs
    for start in range(0, len(targets), _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(targets)))
        distances = _distances(vectors[rows], every)
        same = targets[rows][:, None] == labels[None, :]
        distances[np.arange(len(rows)), rows] = np.inf
        for kind in (0, 1):
            pairs = distances[(same == kind) & np.isfinite(distances)]
            spread[kind] += pairs.sum(), len(pairs)
        hits = np.take_along_axis(same, np.argsort(distances, axis=1, kind="stable"), 1)[:, :-1]
        asked = relevant[rows] > 0
        precision = _average_precision_at_r(hits[asked], relevant[rows][asked])
        ranked += hits[asked, :1].sum(), hits[asked, :5].any(1).sum(), precision.sum()
    queries = int((relevant > 0).sum())
    top1, top5, map_at_r = (_share(total, queries) for total in ranked)
    different, alike = (_share(total, pairs) for total, pairs in spread)
    return RetrievalMetrics(top1, top5, map_at_r, alike, different)


def found_first(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], originals: Labels
) -> NDArray[np.bool_]:
    """Return for each of (Q, D) queries whether nothing in (M, D) is nearer than its original.

    `originals` (Q,) are rows of `gallery`. Another photo at the very same distance, such as a copy
    of the original, does not count as nearer.
    """
    found = np.zeros(len(queries), np.bool_)
    for start in range(0, len(queries), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        distances = _distances(queries[rows], gallery)
        own = np.take_along_axis(distances, originals[rows, None], 1)[:, 0]
        found[rows] = own <= distances.min(1)
    return found


def calibration_error(
    confidence: NDArray[np.float32], right: NDArray[np.bool_], *, bins: int = 15
) -> float:
    """Return the expected calibration error, 0..1; nan without a photo.

    `confidence` (N,) is the probability of the predicted category, `right` (N,) whether it was the
    true one. The photos fall into `bins` of equal width by confidence; the error is the mean over
    photos of |share right - mean confidence| of their bin (Guo et al. 2017, section 2).
    """
    if not len(confidence):
        return float("nan")
    place = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(int) - 1, 0, bins - 1)
    confident = np.bincount(place, weights=confidence, minlength=bins)
    correct = np.bincount(place, weights=right, minlength=bins)
    return float(np.abs(confident - correct).sum() / len(confidence))


def _average_precision_at_r(hits: NDArray[np.bool_], relevant: Labels) -> NDArray[np.float64]:
    """(Q, N-1) hits in order of distance, (Q,) R → (Q,) mean over i ≤ R of precision(i)·hit(i)."""
    ranks = np.arange(1, hits.shape[1] + 1)
    precision = hits.cumsum(1) / ranks
    counted = hits & (ranks <= relevant[:, None])
    averages: NDArray[np.float64] = (precision * counted).sum(1) / relevant
    return averages


def _distances(some: NDArray[np.float32], every: NDArray[np.float32]) -> NDArray[np.float64]:
    left, right = some.astype(np.float64), every.astype(np.float64)
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None, :] - 2 * left @ right.T
    distances: NDArray[np.float64] = np.sqrt(np.clip(squares, 0, None))
    return distances


def _share(total: float, count: float) -> float:
    return float(total / count) if count else float("nan")
