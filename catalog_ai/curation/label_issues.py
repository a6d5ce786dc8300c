"""Which labels look wrong, judged only by classifiers that never saw the label in question.

A light classifier (logistic regression on the stored vectors) is cross-fitted: each product's
probabilities come from the folds that it is not in. A model asked about the labels it was taught
agrees with them, wrong ones included. The score follows cleanlab's normalised margin (Northcutt et
al. 2021, "Confident Learning", section 3), plus half the share of disagreeing neighbours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1
NEIGHBOURS = 15
NEIGHBOUR_WEIGHT = 0.5
_ROWS_AT_ONCE = 1024

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class LabelAssessment:
    """What N products' neighbours and cross-fitted classifiers say of their labels.

    `probabilities` (N, C) float32, out of fold, rows sum to one. `suggestion` (N,) int64 is the
    likeliest class and `confidence` (N,) float32 its probability. `score` (N,) float32, 0..1:
    higher = more likely wrong; nan for a label that is no class. `looks_wrong` (N,) bool.
    `neighbours` (N, k) int64 row numbers, the closest first. `agreement` (N,) float32: share of the
    neighbours with a known label that carry this product's label; nan where it has none.
    """

    probabilities: NDArray[np.float32]
    suggestion: Labels
    confidence: NDArray[np.float32]
    score: NDArray[np.float32]
    looks_wrong: NDArray[np.bool_]
    neighbours: Labels
    agreement: NDArray[np.float32]


def assess_labels(
    vectors: Vectors,
    labels: Labels,
    n_classes: int,
    *,
    folds: int = 5,
    seed: int = 0,
    k: int = NEIGHBOURS,
    groups: NDArray[np.int64] | None = None,
) -> LabelAssessment:
    """Judge (N,) labels, 0..C-1 or -1 for none of the classes, by (N, D) unit vectors.

    Products of one `groups` number (one and the same photo) share a fold: else the copy would vouch
    for the wrong label. A label looks wrong where the cross-fitted classifier prefers another class
    and most of the evidence, neighbours included, is against it (score above one half).
    """
    count = len(labels)
    groups = np.arange(count) if groups is None else groups
    probabilities = _out_of_fold(vectors, labels, n_classes, groups, folds, seed)
    suggestion = probabilities.argmax(1).astype(np.int64) if count else labels
    neighbours = nearest(vectors, k)
    agreement = _agreement(labels, neighbours)
    known = labels != UNKNOWN
    margin = np.zeros(count, np.float32)
    margin[known] = 1 - normalized_margin(probabilities[known], labels[known])
    disagreement = 1 - np.nan_to_num(agreement, nan=1.0)
    score = (margin + NEIGHBOUR_WEIGHT * disagreement) / (1 + NEIGHBOUR_WEIGHT)
    return LabelAssessment(
        probabilities,
        suggestion,
        probabilities.max(1, initial=0.0),
        np.where(known, score, np.nan).astype(np.float32),
        known & (suggestion != labels) & (score > 0.5),
        neighbours,
        agreement,
    )


def normalized_margin(probabilities: NDArray[np.float32], labels: Labels) -> NDArray[np.float32]:
    """Return (N,) float32, 0..1: (p of the label - the best other p + 1) / 2; 1 = surely right."""
    rows = np.arange(len(labels))
    given = probabilities[rows, labels]
    others = probabilities.copy()
    others[rows, labels] = -np.inf
    margin: NDArray[np.float32] = (given - others.max(1, initial=-1.0) + 1) / 2
    return margin


def nearest(vectors: Vectors, k: int) -> Labels:
    """Return (N, min(k, N-1)) int64: the rows closest to each row, itself left out."""
    count = len(vectors)
    k = max(0, min(k, count - 1))
    found = np.empty((count, k), np.int64)
    squares = (vectors**2).sum(1)
    for start in range(0, count, _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, count))
        distances = squares[None, :] - 2 * vectors[rows] @ vectors.T
        distances[np.arange(len(rows)), rows] = np.inf
        near = np.argpartition(distances, k, axis=1)[:, :k] if k < count - 1 else None
        if near is None:
            near = np.argsort(distances, axis=1, kind="stable")[:, :k]
        order = np.argsort(np.take_along_axis(distances, near, 1), axis=1, kind="stable")
        found[rows] = np.take_along_axis(near, order, 1)
    return found


def _agreement(labels: Labels, neighbours: Labels) -> NDArray[np.float32]:
    around = labels[neighbours]
    known = around != UNKNOWN
    same = ((around == labels[:, None]) & known).sum(1)
    share: NDArray[np.float32] = np.full(len(labels), np.nan, np.float32)
    counted = (labels != UNKNOWN) & known.any(1)
    np.divide(same, known.sum(1), out=share, where=counted, casting="unsafe")
    return share


def _out_of_fold(
    vectors: Vectors, labels: Labels, n_classes: int, groups: Labels, folds: int, seed: int
) -> NDArray[np.float32]:
    """Fit one classifier per fold; unknown labels get the mean of all folds' classifiers."""
    fold_of = _folds(labels, groups, folds, seed)
    total = np.zeros((len(labels), n_classes), np.float64)
    opinions = np.zeros(len(labels), np.int64)
    for fold in range(folds):
        training = (fold_of != fold) & (labels != UNKNOWN)
        judged = (fold_of == fold) | (labels == UNKNOWN)
        if judged.any():
            total[judged] += _fit_predict(vectors, labels, training, judged, n_classes)
            opinions[judged] += 1
    probabilities: NDArray[np.float32] = (total / np.maximum(opinions, 1)[:, None]).astype(
        np.float32
    )
    return probabilities


def _folds(labels: Labels, groups: Labels, folds: int, seed: int) -> Labels:
    """Return (N,) fold numbers: each class spread evenly, each group in one fold."""
    random = np.random.default_rng(seed)
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    fold_of_group = np.empty(len(first), np.int64)
    label_of_group = labels[first]
    for label in np.unique(label_of_group):
        found = random.permutation(np.flatnonzero(label_of_group == label))
        fold_of_group[found] = (np.arange(len(found)) + random.integers(folds)) % folds
    spread: Labels = fold_of_group[member.reshape(-1)]
    return spread


def _fit_predict(
    vectors: Vectors,
    labels: Labels,
    training: NDArray[np.bool_],
    judged: NDArray[np.bool_],
    n_classes: int,
) -> NDArray[np.float64]:
    present = np.unique(labels[training])
    result = np.zeros((int(judged.sum()), n_classes))
    if len(present) < 2:
        result[:] = 1 / n_classes  # nothing to tell apart: no opinion
        return result
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    model.fit(vectors[training].astype(np.float64), labels[training])
    result[:, present] = model.predict_proba(vectors[judged].astype(np.float64))
    return result
