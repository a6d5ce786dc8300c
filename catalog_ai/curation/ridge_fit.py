"""What kernel ridge regression computes from the items alone, whatever their labels.

It is most of the work, so it can be kept from one time to the next. K is the landmarks' kernel, and
C, a row c for each item, how close items are to them: labels y give the weights W Cᵀy, where W is
the inverse of CᵀC + ridge·K on what K spans, and an item's leverage is cᵀWc.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.marks import Marks, places

RIDGE = 0.3  # chosen on real photos, as the kernel's width was: `python -m benchmarks.label_errors`
_SILENT = 1e-6  # of the largest eigenvalue: what lies below is rounding
_MOST_CHANGED = 0.1  # of the known items: with more, all are looked at
_WORTH_TURNING = 4  # times as many known items as landmarks
_AT_ONCE = 1_024

Closeness = NDArray[np.float32]
Matrix = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    """Of m landmarks and K known items, each named by its lot.

    `roots` (m, r) make the landmarks' kernel the unit matrix, `gram` (m, m) is CᵀC of the known
    items, `inverse` (m, m) is W, `leverage` (K,) is 0..1.
    """

    landmarks: Marks
    known: Marks
    roots: Matrix
    gram: Matrix
    inverse: Matrix
    leverage: Matrix

    def is_whole(self) -> bool:
        """Whether all parts are of one piece and numbers: what was read may be damaged."""
        m, numbers = len(self.landmarks), (self.roots, self.gram, self.inverse, self.leverage)
        shapes = [part.shape for part in numbers[1:]]
        return (
            shapes == [(m, m), (m, m), self.known.shape]
            and (self.roots.ndim, len(self.roots)) == (2, m)
            and {self.landmarks.dtype, self.known.dtype} == {np.dtype(np.uint64)}
            and all(part.dtype == np.float64 and np.isfinite(part).all() for part in numbers)
        )


def fitted(
    closeness: Closeness,
    landmarks: Rows,
    known: NDArray[np.bool_],
    lots: Marks,
    before: Fit | None,
    *,
    precise: bool,
) -> Fit:
    """Return the fit of (N, m) closeness to `landmarks`, which are rows; `known` is (N,).

    What `before` holds of the same landmarks is used again. `precise`: leverages in float64.
    """
    chosen, taught = lots[landmarks], lots[known]
    if before is None or not np.array_equal(before.landmarks, chosen):
        before = None
        roots = _roots(closeness[landmarks].astype(np.float64))
    elif np.array_equal(before.known, taught):
        return before
    else:
        roots = before.roots
    gram = _gram_again(closeness, known, lots, before)
    half = _half(roots, gram)
    leverage = _leverage(closeness, np.flatnonzero(known), half, precise=precise)
    return Fit(chosen, taught, roots, gram, half.T @ half, leverage)


def _roots(kernel: Matrix) -> Matrix:
    values, directions = np.linalg.eigh(kernel)
    heard = values > _SILENT * values[-1:]
    roots: Matrix = directions[:, heard] / np.sqrt(values[heard])
    return roots


def _half(roots: Matrix, gram: Matrix) -> Matrix:
    """Return (r, m), the inverse's square root: its transpose times itself is the inverse."""
    from scipy.linalg import solve_triangular

    spanned = roots.T @ gram @ roots
    spanned = (spanned + spanned.T) / 2
    spanned[np.diag_indices_from(spanned)] += RIDGE
    half: Matrix = solve_triangular(np.linalg.cholesky(spanned), roots.T, lower=True)
    return half


def _gram_again(
    closeness: Closeness, known: NDArray[np.bool_], lots: Marks, before: Fit | None
) -> Matrix:
    """Return CᵀC of the known items: what it was, with those that came and without those that went.

    All are looked at where many did, or where one that went is not among the items any more.
    """
    taught = np.flatnonzero(known)
    if before is not None:
        came = taught[places(lots[taught], before.known) < 0]
        went = before.known[places(before.known, lots[taught]) < 0]
        gone = places(went, lots)
        if (gone >= 0).all() and len(came) + len(gone) <= _MOST_CHANGED * len(taught):
            return before.gram + _gram(closeness, came) - _gram(closeness, gone)
    return _gram(closeness, taught)


def _gram(closeness: Closeness, rows: Rows) -> Matrix:
    """Return (m, m) float64; sums in float32 would drown what the ridge is there for."""
    total = np.zeros((closeness.shape[1],) * 2)
    for start in range(0, len(rows), _AT_ONCE):
        part = closeness[rows[start : start + _AT_ONCE]].astype(np.float64)
        total += part.T @ part
    return total


def _leverage(closeness: Closeness, rows: Rows, half: Matrix, *, precise: bool) -> Matrix:
    """Return (K,): how much each of `rows` has a say in what is said of itself."""
    kind: Any = np.float64 if precise else np.float32
    turn = _turning(half, kind) if len(rows) > _WORTH_TURNING * len(half) else half.astype(kind).dot
    found = np.empty(len(rows))
    for start in range(0, len(rows), _AT_ONCE):
        part = closeness[rows[start : start + _AT_ONCE]].astype(kind)
        turned = turn(part.T)
        found[start : start + len(part)] = np.einsum("ij,ij->j", turned, turned)
    return found


def _turning(half: Matrix, kind: Any) -> Callable[[NDArray[np.floating]], Any]:
    """Return what multiplies by a triangle that gives the same lengths as `half`: half the work."""
    from scipy.linalg import qr
    from scipy.linalg.blas import dtrmm, strmm

    upper = np.zeros((half.shape[1],) * 2)
    upper[: len(half)] = qr(half, mode="r", check_finite=False)[0][: len(half)]
    factor = np.asfortranarray(upper, kind)
    times = dtrmm if kind is np.float64 else strmm
    return lambda part: times(1, factor, part, overwrite_b=True)
