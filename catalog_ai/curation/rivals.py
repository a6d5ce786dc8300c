"""The closest product under another label, for every product of a large catalogue.

Compared with all others they would be N² pairs; so each is compared with those that have one of
their three closest landmarks in common: two copies are as good as sure to. What was found is kept:
after a few decisions only the products around them are compared again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.look_alikes import fit_together
from catalog_ai.curation.marks import Marks, drawn, mixed, places, steady

NONE = -1
_PER_LANDMARK = 1_000  # products, on average; a product belongs to its three closest landmarks
_LANDMARKS_EACH = 3
_ROUNDING = 1e-6  # of a cosine in float32: of equally close products the first counts
_MOST_CHANGED = 0.1  # of the products: with more, all are compared anew
_AT_ONCE = 1_024

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Rivals:
    """Of N products, named by their marks: `rows` (N,), the closest of another label or -1."""

    marks: Marks
    rows: Numbers

    def is_whole(self) -> bool:
        """Whether both parts are of one piece: what was read may be damaged."""
        return self.rows.ndim == 1 and fit_together(self.marks, self.rows)


def rivals(vectors: Vectors, labels: Numbers, lots: Marks, before: Rivals | None = None) -> Rivals:
    """Return the closest of another label that has a landmark in common.

    `vectors` (N, D) of unit length; `labels` (N,) are numbers that stay with a label; `lots` (N,)
    change with a vector. The answer is the same without `before`.
    """
    belongs, names = _landmarks(vectors, lots)
    identity = _identity(lots, labels, names, belongs)
    search = _Search(vectors, labels)
    everyone = np.ones(len(vectors), np.bool_)
    old = places(identity, before.marks if before else identity[:0])
    changed = old < 0
    if before is None or changed.sum() > _MOST_CHANGED * len(vectors):
        changed = stale = everyone
    else:
        stood = places(before.marks, identity)[before.rows[old]]  # of the changed: anything
        stale = changed | (before.rows[old] == NONE) | (stood < 0)
        search.start(np.flatnonzero(~stale), stood[~stale])
    for rows in _members(belongs, len(names)):
        search.compare(rows[stale[rows]], rows)
        if not stale[rows].all():
            search.compare(rows[~stale[rows]], rows[changed[rows]])
    return Rivals(identity, search.closest)


def _landmarks(vectors: Vectors, lots: Marks) -> tuple[Numbers, Marks]:
    """Return (N, 3) numbers of the landmarks that each belongs to, and the landmarks' lots."""
    count = steady(len(vectors)) // _PER_LANDMARK
    if count <= _LANDMARKS_EACH:
        return np.zeros((len(vectors), 1), np.int64), lots[:0]
    chosen = drawn(lots, count)
    belongs = np.empty((len(vectors), _LANDMARKS_EACH), np.int64)
    for start in range(0, len(vectors), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        away = -(vectors[rows] @ vectors[chosen].T)
        belongs[rows] = np.argpartition(away, _LANDMARKS_EACH - 1, axis=1)[:, :_LANDMARKS_EACH]
    return belongs, lots[chosen]


def _identity(lots: Marks, labels: Numbers, names: Marks, belongs: Numbers) -> Marks:
    """Return (N,) marks that change with a product's vector, its label or its landmarks."""
    around = names[belongs].sum(1, dtype=np.uint64) if len(names) else np.zeros_like(lots)
    return mixed(lots ^ mixed(labels) ^ mixed(around))


def _members(belongs: Numbers, landmarks: int) -> list[Numbers]:
    """Return the rows that belong to each landmark, in their order."""
    each = belongs.shape[1]
    order = np.argsort(belongs.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(belongs.reshape(-1), minlength=max(1, landmarks)))
    return [part // each for part in np.split(order, ends[:-1])]


class _Search:
    """The closest found so far: `closest` (N,) rows, -1 for none yet."""

    def __init__(self, vectors: Vectors, labels: Numbers) -> None:
        self._vectors, self._labels = vectors, labels
        self.closest = np.full(len(vectors), NONE, np.int64)
        self._cosine = np.full(len(vectors), -np.inf, np.float32)

    def start(self, rows: Numbers, closest: Numbers) -> None:
        """Take what is known of some rows."""
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            one, other = self._vectors[rows[part]], self._vectors[closest[part]]
            self._cosine[rows[part]] = (one * other).sum(1)
        self.closest[rows] = closest

    def compare(self, asked: Numbers, among: Numbers) -> None:
        """Look for closer ones of `asked` rows `among` ascending others."""
        if not len(asked) or not len(among):
            return
        asked = asked[np.argsort(self._labels[asked], kind="stable")]
        among = among[np.argsort(self._labels[among], kind="stable")]
        others, kinds = self._vectors[among].T, self._labels[among]
        for start in range(0, len(asked), _AT_ONCE):
            here = asked[start : start + _AT_ONCE]
            cosines = self._vectors[here] @ others
            self._hide_own(cosines, here, kinds)
            best = cosines.max(1)
            some = np.isfinite(best)
            least = np.where(some, best, np.inf) - np.float32(_ROUNDING)
            at, ties = np.nonzero(cosines >= least[:, None])
            first = np.full(len(here), len(self._labels))
            np.minimum.at(first, at, among[ties])
            self._take(here[some], first[some], best[some])

    def _hide_own(self, cosines: Vectors, here: Numbers, kinds: Numbers) -> None:
        """Put what carries the same label out of reach; both are sorted by label."""
        own, at = np.unique(self._labels[here], return_index=True)
        ends = np.append(at[1:], len(here))
        starts, stops = np.searchsorted(kinds, own), np.searchsorted(kinds, own, "right")
        for row, end, start, stop in zip(at, ends, starts, stops, strict=True):
            cosines[row:end, start:stop] = -np.inf

    def _take(self, here: Numbers, rows: Numbers, cosine: Vectors) -> None:
        ahead = cosine - self._cosine[here]
        better = (ahead > _ROUNDING) | ((ahead >= -_ROUNDING) & (rows < self.closest[here]))
        self.closest[here[better]], self._cosine[here[better]] = rows[better], cosine[better]
