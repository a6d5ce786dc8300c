"""A light classifier that answers for each item as if it had never seen that item's own label.

Kernel ridge regression onto the labels: what it would say of an item without the item follows from
what it says with it and from the item's leverage (Allen 1974, "The relationship between variable
selection and data augmentation"): no folds, and other labels cost one matrix product. With many
items the kernel is spanned by some of them (Williams and Seeger 2001, "Using the Nyström method").
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

EXACT = 3_000  # items; beyond, so many of them span the kernel at most
_FEWEST_LANDMARKS = 500
_MOST_NUMBERS = 1.5e8  # of items × landmarks that are held at once: 600 MB
_WIDTH = 0.5  # of the kernel: exp(-width · squared distance) of unit vectors
_RIDGE = 0.3  # both chosen on real photos, by `python -m benchmarks.label_errors`
_SILENT = 1e-6  # of the largest eigenvalue: what lies below is rounding
_MOST_LEVERAGE = 1 - 1e-6
_AT_ONCE = 4_096

Features = NDArray[np.float32]
Targets = NDArray[np.float64]


class LeaveOneOut:
    """What items say of each other; `known` (N,) bool are those whose labels count.

    At least one is. `features` (N, F) float32 may have any scale. Items of one `groups` number
    (N,) int64 are one and the same: for none of them counts what is known of the others.
    """

    def __init__(
        self,
        features: Features,
        known: NDArray[np.bool_],
        groups: NDArray[np.int64],
        *,
        seed: int = 0,
        exact: int = EXACT,
    ) -> None:
        self._known = known
        self._groups = np.unique(groups[known], return_inverse=True)[1].reshape(-1)
        self._copies = np.bincount(self._groups)[self._groups]
        units = _standardized(features, known)
        taught = units[known]
        self._basis = _basis(units, taught, seed, exact)
        spanned = self._basis[known]
        self._inverse = np.linalg.inv(_gram(spanned))
        inverse = self._inverse.astype(spanned.dtype)
        leverage = [((part @ inverse) * part).sum(1) for part in _parts(spanned)]
        self._leverage = np.minimum(np.concatenate(leverage), _MOST_LEVERAGE / self._copies)

    def __call__(self, targets: Targets) -> Targets:
        """Return (N, C) float64, what the others say, for targets (K, C) of the K known items."""
        centre = targets.mean(0)
        weights = self._inverse @ (self._basis[self._known].T @ (targets - centre))
        said: Targets = self._basis @ weights + centre
        # Of one item: what is off, over 1 - leverage. Of n copies, whose block of the hat matrix
        # holds one number h: the same, with the sum of what is off at all n times h / (1 - n h).
        off = targets - said[self._known]
        shared = np.zeros((int(self._groups.max()) + 1, targets.shape[1]))
        np.add.at(shared, self._groups, off)
        share = self._leverage / (1 - self._copies * self._leverage)
        said[self._known] -= share[:, None] * shared[self._groups]
        return said


def _standardized(features: Features, known: NDArray[np.bool_]) -> Features:
    """Return rows of unit length, each number measured by how it varies among the known items."""
    seen = features[known]
    centre, spread = seen.mean(0, dtype=np.float64), seen.std(0, dtype=np.float64)
    units = features.astype(np.float32)  # a copy, changed in place: 100,000 of them are a gigabyte
    units -= centre.astype(np.float32)
    units /= np.maximum(spread, 1e-6).astype(np.float32)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), np.float32(1e-6))
    return units


def _basis(units: Features, taught: Features, seed: int, exact: int) -> NDArray[np.floating]:
    """Return (N, m), whose products are the kernel's, m known items at most spanning it."""
    room = max(_FEWEST_LANDMARKS, int(_MOST_NUMBERS / len(units)))
    count = min(len(taught), exact, room)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(taught))[:count])
    landmarks = taught[chosen]
    values, directions = np.linalg.eigh(_kernel(landmarks, landmarks).astype(np.float64))
    heard = values > _SILENT * values[-1:]
    roots = directions[:, heard] / np.sqrt(values[heard])
    precise = len(units) <= 4 * exact
    basis = np.empty((len(units), roots.shape[1]), np.float64 if precise else np.float32)
    roots = roots.astype(basis.dtype)
    for start in range(0, len(units), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        basis[rows] = _kernel(units[rows], landmarks).astype(basis.dtype) @ roots
    return basis


def _kernel(left: Features, right: Features) -> Features:
    """(N, F) and (M, F) float32 of unit length → (N, M) float32, 0..1."""
    closeness: Features = np.exp(2 * _WIDTH * (left @ right.T - 1))
    return closeness


def _gram(spanned: NDArray[np.floating]) -> Targets:
    """Return (m, m) float64: what the basis of the known items spans, and the ridge."""
    total = np.zeros((spanned.shape[1],) * 2)
    for part in _parts(spanned):
        total += part.T @ part
    total[np.diag_indices_from(total)] += _RIDGE
    return total


def _parts(rows: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]
