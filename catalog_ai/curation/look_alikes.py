"""Which products look most alike: found once, then only where something near them changed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.marks import Marks, places

NONE = -1
_MOST_CHANGED = 0.1  # of the products: with more, all are compared anew
_STRAND = 16
_SPARE = 4  # products beyond the closest k: float32 may have them in the wrong order
_ROUNDING = 2e-6  # of a squared distance of unit vectors in float32
_MOST_IN_A_CROWD = 2_000  # equally close products; beyond, the first of them are as good
_ROWS_AT_ONCE = 256

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class LookAlikes:
    """Of N products, named by their marks: `rows` (N, k), the closest first.

    A row of -1 was never asked for.
    """

    marks: Marks
    rows: Rows

    def is_whole(self) -> bool:
        """Whether both parts are of one piece: what was read may be damaged."""
        return self.rows.ndim == 2 and fit_together(self.marks, self.rows)


def fit_together(marks: Marks, rows: Rows) -> bool:
    """Return whether `rows` are rows of what `marks` name."""
    kinds = marks.dtype == np.uint64 and rows.dtype == np.int64
    return bool(
        kinds and marks.shape == rows.shape[:1] and ((rows >= NONE) & (rows < len(marks))).all()
    )


def look_alikes(
    vectors: Vectors, k: int, asked: Rows, lots: Marks, before: LookAlikes | None
) -> LookAlikes:
    """Return the look-alikes of `asked` rows, and of those that were asked for before and stayed.

    `lots` (N,) change with a vector. The rows are those that `nearest` says.
    """
    k = max(0, min(k, len(vectors) - 1))
    found = np.full((len(vectors), k), NONE, np.int64)
    if before is not None and before.rows.shape[1] == k:
        new = np.flatnonzero(places(lots, before.marks) < 0)
        if len(new) <= _MOST_CHANGED * len(vectors):
            _carry_over(found, vectors, new, lots, before)
    missing = asked[(found[asked] == NONE).any(axis=1)]
    found[missing] = nearest(vectors, k, missing)
    return LookAlikes(lots, found)


def _carry_over(found: Rows, vectors: Vectors, new: Rows, lots: Marks, before: LookAlikes) -> None:
    """Put into `found` what is known of products whose look-alikes are all still there."""
    now = places(before.marks, lots)
    moved = np.where(before.rows == NONE, NONE, now[before.rows])
    stayed = np.flatnonzero((now >= 0) & (moved != NONE).all(axis=1))
    rows = now[stayed]
    found[rows] = moved[stayed]
    squares = (vectors**2).sum(1)
    for start in range(0, len(rows) if len(new) else 0, _ROWS_AT_ONCE):
        part = rows[start : start + _ROWS_AT_ONCE]
        away = _distances(vectors, part, found[part, -1:])[:, 0].astype(np.float32)
        distances = (-2 * vectors[part]) @ vectors[new].T
        distances += squares[part][:, None] + squares[new]
        closer = distances <= away[:, None] + _ROUNDING
        for at in np.flatnonzero(closer.any(axis=1)).tolist():
            _insert(found, vectors, int(part[at]), new[closer[at]])


def _insert(found: Rows, vectors: Vectors, row: int, come: Rows) -> None:
    either = np.concatenate([found[row], come])[None]
    found[row] = _ordered(vectors, np.array([row]), np.sort(either), found.shape[1])[0]


def nearest(vectors: Vectors, k: int, asked: Rows | None = None) -> Rows:
    """Return (R, min(k, N-1)) int64: the rows closest to each of R rows, itself left out.

    `asked` (R,) are their numbers, all N by default. Of equally close rows the first come first.
    Columns are looked at in strands: the closest k lie in the k strands whose best is closest.
    """
    count = len(vectors)
    k = max(0, min(k, count - 1))
    most = min(k + _SPARE, max(0, count - 1))
    strands = -(-count // _STRAND)
    padded = np.zeros((strands * _STRAND, vectors.shape[1]), np.float32)
    padded[:count] = vectors
    squares = np.full(len(padded), np.inf, np.float32)
    squares[:count] = (vectors**2).sum(1)
    asked = np.arange(count) if asked is None else asked
    found = np.empty((len(asked), k), np.int64)
    for start in range(0, len(asked) if k else 0, _ROWS_AT_ONCE):
        rows = asked[start : start + _ROWS_AT_ONCE]
        distances = (-2 * vectors[rows]) @ padded.T
        distances += squares
        distances[np.arange(len(rows)), rows] = np.inf
        near = _closest(distances, most)
        found[start : start + len(rows)] = _ordered(vectors, rows, np.sort(near), k)
        reach = np.take_along_axis(distances, near[:, k - 1 :], 1)
        for at in np.flatnonzero(reach[:, -1] <= reach[:, 0] + 2 * _ROUNDING).tolist():
            crowd = np.flatnonzero(distances[at] <= reach[at, 0] + _ROUNDING)[:_MOST_IN_A_CROWD]
            either = np.union1d(near[at], crowd)[None]
            found[start + at] = _ordered(vectors, rows[at : at + 1], either, k)[0]
    return found


def _closest(distances: Vectors, k: int) -> Rows:
    """Return (B, k) int64, the columns of the smallest of (B, 16 · strands), the smallest first."""
    strands = distances.shape[1] // _STRAND
    best = distances.reshape(len(distances), _STRAND, strands).min(1)
    near = np.broadcast_to(np.arange(strands), best.shape)
    if 0 < k < strands:
        near = np.argpartition(best, k - 1, axis=1)[:, :k]
    columns = np.arange(_STRAND)[:, None] * strands + near[:, None, :]
    columns = np.sort(columns.reshape(len(distances), -1), axis=1)
    order = np.argsort(np.take_along_axis(distances, columns, 1), axis=1, kind="stable")
    closest: Rows = np.take_along_axis(columns, order[:, :k], 1)
    return closest


def _ordered(vectors: Vectors, rows: Rows, candidates: Rows, k: int) -> Rows:
    """Return (B, k): the closest of (B, n) ascending candidates, by distances to the last digit."""
    order = np.argsort(_distances(vectors, rows, candidates), axis=1, kind="stable")
    closest: Rows = np.take_along_axis(candidates, order[:, :k], 1)
    return closest


def _distances(vectors: Vectors, rows: Rows, others: Rows) -> NDArray[np.float64]:
    """Return (B, n) squared distances of (B,) rows to (B, n) others."""
    apart = vectors[others].astype(np.float64) - vectors[rows][:, None]
    away: NDArray[np.float64] = (apart * apart).sum(2)
    return away
