"""Products whose photos are all but the same, and whose labels are not.

A photo's copy, saved again, scaled, or cut a little, lies much closer to it than any other product
does. How close "any other" is, a catalogue knows itself: the closest product of another label is
nearly always another garment, so the median of those distances is the measure, and no constant of
a model. What is compared are features, each number by how it varies; vectors only say with what.
"""

import numpy as np
from numpy.typing import NDArray

NONE = -1
CLOSE = 0.15  # of the median of 1 - cosine to the closest product of another label
LEAST, MOST = 0.9, 0.998  # what that may come to, as a cosine: few products tell little
_PER_LANDMARK = 1_000  # products, on average; a product belongs to its three closest landmarks
_LANDMARKS_EACH = 3
_AT_ONCE = 1_024

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]


def twins(
    vectors: Vectors,
    labels: Numbers,
    photos: Numbers,
    *,
    features: Vectors | None = None,
    seed: int = 0,
) -> Numbers:
    """Return (N,) int64: the row of the closest product that is a twin of another label, or -1.

    `vectors` (N, D) of unit length; `labels` (N,) are numbers of labels, -1 for none; rows of one
    `photos` number (N,) have the very same file. `features` (N, F) may have any scale; without
    them the vectors are compared.
    """
    found = np.full(len(labels), NONE, np.int64)
    labelled = np.flatnonzero(labels != NONE)
    if len(np.unique(labels[labelled])) < 2:
        return found
    keys = np.stack([photos[labelled], labels[labelled]], 1)
    _, first, copies = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    distinct = labelled[first]  # one row for each photo and label
    near = _closest_of_another_label(vectors[distinct], labels[distinct], seed)
    compared = np.flatnonzero(near != NONE)
    rows, near = distinct[compared], distinct[near[compared]]
    alike = _all_but_the_same(vectors if features is None else features, rows, near)
    twin = np.full(len(distinct), NONE, np.int64)
    twin[compared[alike]] = near[alike]
    found[labelled] = twin[copies.reshape(-1)]
    _name_same_files(found, labels, photos, labelled)
    return found


def _name_same_files(found: Numbers, labels: Numbers, photos: Numbers, rows: Numbers) -> None:
    """Put into `found` the first of `rows` with the same photo and another label."""
    rows = rows[(np.bincount(photos[rows])[photos[rows]]) > 1]
    rows = rows[np.argsort(photos[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(photos[rows]) != 0) + 1
    for group in np.split(rows, starts):
        others = group[labels[group] != labels[group[:1]]]
        if len(others):
            found[group] = np.where(labels[group] == labels[group[0]], others[0], group[0])


def _closest_of_another_label(vectors: Vectors, labels: Numbers, seed: int) -> Numbers:
    """Return (N,) rows: the closest that has a landmark in common and another label, -1 for none.

    Compared with all others they would be N² pairs. Two copies are as good as sure to share one of
    their three closest landmarks.
    """
    closest = np.full(len(vectors), NONE, np.int64)
    cosine = np.full(len(vectors), -np.inf, np.float32)
    kinds = labels.astype(np.int32)
    for rows in _neighbourhoods(vectors, seed):
        for start in range(0, len(rows), _AT_ONCE):
            here = rows[start : start + _AT_ONCE]
            cosines = vectors[here] @ vectors[rows].T
            cosines[kinds[here][:, None] == kinds[rows]] = -np.inf
            best = cosines.argmax(1)
            score = cosines[np.arange(len(here)), best]
            closer = score > cosine[here]
            closest[here[closer]], cosine[here[closer]] = rows[best[closer]], score[closer]
    return closest


def _neighbourhoods(vectors: Vectors, seed: int) -> list[Numbers]:
    """Return the rows that belong to each landmark; all of them where there are few."""
    count = len(vectors) // _PER_LANDMARK
    if count <= _LANDMARKS_EACH:
        return [np.arange(len(vectors))]
    chosen = np.random.default_rng(seed).choice(len(vectors), count, replace=False)
    belongs = np.empty((len(vectors), _LANDMARKS_EACH), np.int64)
    for start in range(0, len(vectors), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        away = -(vectors[rows] @ vectors[chosen].T)
        belongs[rows] = np.argpartition(away, _LANDMARKS_EACH - 1, axis=1)[:, :_LANDMARKS_EACH]
    order = np.argsort(belongs.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(belongs.reshape(-1), minlength=count))
    return [part // _LANDMARKS_EACH for part in np.split(order, ends[:-1])]


def _all_but_the_same(features: Vectors, rows: Numbers, near: Numbers) -> NDArray[np.bool_]:
    """Return whether each of `rows` and its `near` are all but the same photo."""
    centre, spread = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    scale = centre.astype(np.float32), np.maximum(spread, 1e-6).astype(np.float32)
    cosine = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        pairs = _units(features[rows[part]], *scale) * _units(features[near[part]], *scale)
        cosine[part] = pairs.sum(1)
    usual = float(np.median(cosine)) if len(cosine) else 0.0
    alike: NDArray[np.bool_] = cosine >= np.clip(1 - CLOSE * (1 - usual), LEAST, MOST)
    return alike


def _units(features: Vectors, centre: Vectors, spread: Vectors) -> Vectors:
    scaled = (features - centre) / spread
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), np.float32(1e-6))
    found: Vectors = scaled
    return found
