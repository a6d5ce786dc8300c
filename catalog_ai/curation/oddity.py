"""How little a photo looks like a product photo of this catalogue.

Logos, size charts, banners and placeholders come in crowds that resemble each other, so a photo's
neighbours do not give it away. Its direction does: photos of garments share most of what a network
sees in a photo at all, and the mean of each category is close to every one of its photos. What lies
much further from all of those means than the catalogue's photos usually do is odd. What resembles a
photo that people marked as no product, more than any mean, is odd as well.
"""

import numpy as np
from numpy.typing import NDArray

ODD = 0.5  # from here on a photo looks odd
FEWEST = 50  # products: with fewer, nobody can say what is usual
MOST_MARKED = 500  # photos that are compared with
_LIMIT = 4.3  # robust standard deviations of the logarithm of the distance; see docs/labels.md
_LIKE = 1.5  # times as close to a marked photo as to the closest mean
_STEEPNESS = 3.0
_LEAST_SPREAD = 0.2  # of the logarithm, where all photos look nearly alike
_FEWEST_OF_A_LABEL = 10
_MOST_LABELS = 200
_AT_ONCE = 2_048

Features = NDArray[np.float32]
Numbers = NDArray[np.int64]


def oddity(features: Features, labels: Numbers, marked: Features | None = None) -> Features:
    """Return (N,) float32, 0..1, higher = less like a product photo; nan where too few are known.

    `features` (N, F) are as the network gives them; `labels` (N,) are category numbers, -1 for
    none; `marked` (M, F) are photos that people said show no product.
    """
    if len(features) < FEWEST:
        return np.full(len(features), np.nan, np.float32)
    means = _means(features, labels)
    away = _distances(features, means)
    evidence = _unusual(away) - _LIMIT
    if marked is not None and len(marked):
        close = _distances(features, _units(marked[-MOST_MARKED:]))
        evidence = np.maximum(evidence, np.log(away / close / _LIKE))
    found: Features = (1 / (1 + np.exp(-_STEEPNESS * evidence))).astype(np.float32)
    return found


def _means(features: Features, labels: Numbers) -> Features:
    """Return (K, F) of unit length: the mean of all photos, and of each label that has some."""
    counts = np.bincount(labels[labels >= 0])
    often = np.argsort(-counts, kind="stable")[:_MOST_LABELS]
    often = often[counts[often] >= _FEWEST_OF_A_LABEL]
    sums = np.zeros((1 + len(often), features.shape[1]))
    for start in range(0, len(features), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        carries = labels[rows] == often[:, None]
        units = _units(features[rows])
        sums[0] += units.sum(0)
        sums[1:] += carries.astype(np.float32) @ units
    return _units(sums.astype(np.float32))


def _distances(features: Features, means: Features) -> Features:
    """Return (N,), 1 - cosine to the closest of `means`; never quite 0."""
    found = np.empty(len(features), np.float32)
    for start in range(0, len(features), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        found[rows] = 1 - (_units(features[rows]) @ means.T).max(1)
    return np.maximum(found, np.float32(1e-6))


def _unusual(away: Features) -> Features:
    """Return (N,): by how many robust standard deviations the logarithm is above its median."""
    logarithm = np.log(away)
    middle = np.median(logarithm)
    spread = 1.4826 * np.median(np.abs(logarithm - middle))
    found: Features = (logarithm - middle) / max(float(spread), _LEAST_SPREAD)
    return found


def _units(rows: Features) -> Features:
    units: Features = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return units
