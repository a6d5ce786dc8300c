"""Products whose photos are all but the same, and whose labels are not.

A photo's copy, saved again, scaled, or cut a little, lies much closer to it than any other product
does. How close "any other" is, a catalogue knows itself: the closest product of another label is
nearly always another garment, so the median of those distances is the measure, and no constant of
a model. What is compared are features, each number by how it varies; vectors only say with what.
"""

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.marks import Marks, marks
from catalog_ai.curation.rivals import NONE, Rivals, rivals

CLOSE = 0.15  # of the median of 1 - cosine to the closest product of another label
LEAST, MOST = 0.9, 0.998  # what that may come to, as a cosine: few products tell little
_AT_ONCE = 1_024

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]


def twins(
    vectors: Vectors,
    labels: Numbers,
    photos: Numbers,
    *,
    features: Vectors | None = None,
    lots: Marks | None = None,
    before: Rivals | None = None,
) -> tuple[Numbers, Rivals]:
    """Return (N,) int64: the row of the closest product that is a twin of another label, or -1.

    `vectors` (N, D) of unit length; `labels` (N,) are numbers of labels, -1 for none; rows of one
    `photos` number (N,) have the very same file. `features` (N, F) may have any scale; without
    them the vectors are compared. `lots` (N,) change with a vector. What `before` holds of products
    whose vectors and labels are the same is not looked for again; labels keep their numbers.
    """
    lots = marks(vectors, np.arange(len(vectors))) if lots is None else lots
    found = np.full(len(labels), NONE, np.int64)
    labelled = np.flatnonzero(labels != NONE)
    if len(np.unique(labels[labelled])) < 2:
        return found, Rivals(lots[:0], found[:0])
    keys = np.stack([photos[labelled], labels[labelled]], 1)
    _, first, copies = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    distinct = labelled[first[order]]  # one row for each photo and label
    closest = rivals(vectors[distinct], labels[distinct], lots[distinct], before)
    compared = np.flatnonzero(closest.rows != NONE)
    rows, near = distinct[compared], distinct[closest.rows[compared]]
    alike = _all_but_the_same(vectors if features is None else features, rows, near)
    twin = np.full(len(distinct), NONE, np.int64)
    twin[compared[alike]] = near[alike]
    found[labelled] = twin[np.argsort(order)[copies.reshape(-1)]]
    _name_same_files(found, labels, photos, labelled)
    return found, closest


def _name_same_files(found: Numbers, labels: Numbers, photos: Numbers, rows: Numbers) -> None:
    """Put into `found` the first of `rows` with the same photo and another label."""
    rows = rows[(np.bincount(photos[rows])[photos[rows]]) > 1]
    rows = rows[np.argsort(photos[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(photos[rows]) != 0) + 1
    for group in np.split(rows, starts):
        others = group[labels[group] != labels[group[:1]]]
        if len(others):
            found[group] = np.where(labels[group] == labels[group[0]], others[0], group[0])


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
