"""A light classifier that answers for each item as if it had never seen that item's own label.

Kernel ridge regression onto the labels: what it would say of an item without the item follows from
what it says with it and from the item's leverage (Allen 1974, "The relationship between variable
selection and data augmentation"): no folds, and other labels cost two thin matrix products. With
many items the kernel is spanned by some of them (Williams and Seeger 2001, "Using the Nyström
method").
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.marks import Marks, drawn, marks, steady
from catalog_ai.curation.ridge_fit import Fit, fitted

EXACT = 3_000  # items; beyond, so many of them span the kernel at most
_FEWEST_LANDMARKS = 500
_MOST_NUMBERS = 1.5e8  # of items × landmarks that are held at once: 600 MB
_WIDTH = 0.5  # of the kernel: exp(-width · squared distance) of unit vectors
_MOST_LEVERAGE = 1 - 1e-6
_LEAST_SPREAD = 0.01  # of the usual one: what hardly varies among some may among others
_AT_ONCE = 1_024

Features = NDArray[np.float32]
Targets = NDArray[np.float64]


class LeaveOneOut:
    """What items say of each other; `known` (N,) bool are those whose labels count.

    At least one is. `features` (N, F) float32 may have any scale. Items of one `groups` number
    (N,) int64 are one and the same: for none of them counts what is known of the others. `lots`
    (N,) tell items apart and say which span the kernel; `before` is the `fit` of another time: what
    is in it need not be computed again, and the answers are the same without it.
    """

    def __init__(
        self,
        features: Features,
        known: NDArray[np.bool_],
        groups: NDArray[np.int64],
        *,
        lots: Marks | None = None,
        before: Fit | None = None,
        exact: int = EXACT,
    ) -> None:
        self._known = known
        self._groups = np.unique(groups[known], return_inverse=True)[1].reshape(-1)
        self._copies = np.bincount(self._groups)[self._groups]
        lots = marks(features, np.arange(len(features))) if lots is None else lots
        chosen = _landmarks(known, lots, exact)
        self._closeness = _closeness(features, features[chosen])
        self._precise = len(features) <= 4 * exact
        self.fit = fitted(self._closeness, chosen, known, lots, before, precise=self._precise)
        self._leverage = np.minimum(self.fit.leverage, _MOST_LEVERAGE / self._copies)

    def __call__(self, targets: Targets) -> Targets:
        """Return (N, C) float64, what the others say, for targets (K, C) of the K known items."""
        centre = targets.mean(0)
        taught = np.zeros((len(self._known), targets.shape[1]))
        taught[self._known] = targets - centre
        said: Targets = self._said(self.fit.inverse @ self._heard(taught)) + centre
        # Of one item: what is off, over 1 - leverage. Of n copies, whose block of the hat matrix
        # holds one number h: the same, with the sum of what is off at all n times h / (1 - n h).
        off = targets - said[self._known]
        shared = np.zeros((int(self._groups.max()) + 1, targets.shape[1]))
        np.add.at(shared, self._groups, off)
        share = self._leverage / (1 - self._copies * self._leverage)
        said[self._known] -= share[:, None] * shared[self._groups]
        return said

    def _heard(self, taught: Targets) -> Targets:
        """Return (m, C): what the landmarks hear of (N, C) targets."""
        total = np.zeros((self._closeness.shape[1], taught.shape[1]))
        for rows, part in self._parts():
            total += part.T @ taught[rows].astype(part.dtype)
        return total

    def _said(self, weights: Targets) -> Targets:
        """Return (N, C): what (m, C) weights of the landmarks come to."""
        said = np.empty((len(self._closeness), weights.shape[1]))
        for rows, part in self._parts():
            said[rows] = part @ weights.astype(part.dtype)
        return said

    def _parts(self) -> Iterator[tuple[slice, NDArray[np.floating]]]:
        kind = np.float64 if self._precise else np.float32
        for start in range(0, len(self._closeness), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            yield rows, self._closeness[rows].astype(kind, copy=False)


def _landmarks(known: NDArray[np.bool_], lots: Marks, exact: int) -> NDArray[np.int64]:
    """Return the rows that span the kernel: known ones, by lot where there are too many."""
    taught = np.flatnonzero(known)
    step = len(known) + len(known) // 8  # steady, but never more numbers than there is room for
    room = max(_FEWEST_LANDMARKS, int(_MOST_NUMBERS / steady(step)))
    chosen: NDArray[np.int64] = taught[drawn(lots[taught], min(len(taught), exact, room))]
    return chosen


def _closeness(features: Features, landmarks: Features) -> Features:
    """Return (N, m) float32, 0..1: the kernel of items and landmarks.

    Each number of the features is measured by how it varies among the landmarks.
    """
    centre, spread = landmarks.mean(0, dtype=np.float64), landmarks.std(0, dtype=np.float64)
    least = max(_LEAST_SPREAD * float(np.median(spread)), 1e-6)
    scale = centre.astype(np.float32), np.maximum(spread, least).astype(np.float32)
    middle = _units(landmarks, *scale).T
    closeness = np.empty((len(features), len(landmarks)), np.float32)
    for start in range(0, len(features), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        cosines = _units(features[rows], *scale) @ middle
        closeness[rows] = np.exp(np.float32(2 * _WIDTH) * (cosines - 1))
    return closeness


def _units(features: Features, centre: Features, spread: Features) -> Features:
    """Return rows of unit length."""
    units = (features - centre) / spread
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), np.float32(1e-6))
    return units
