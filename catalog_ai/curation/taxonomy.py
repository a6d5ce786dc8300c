"""Which categories run into each other, and the products that lie on their border."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_PAIRS = 20
MOST_EXAMPLES = 12
WORTH_TELLING = 0.03  # share; below, real photos name pairs such as hat and shoes
UNDECIDED = 0.1  # a product of the border may be either with at least this probability
FEWEST_EXAMPLES = 3  # with fewer the probabilities are only vague, as a small catalogue's are

Shares = NDArray[np.floating]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """Two category numbers; `share` 0..1 of `products`; `border` are row numbers."""

    one: int
    other: int
    share: float
    products: int
    border: Labels


def overlapping(
    shares: Shares, labels: Labels, *, least: float = WORTH_TELLING, most: int = MOST_PAIRS
) -> list[Pair]:
    """Return the pairs of categories that overlap most, the worst first.

    `shares` (N, C) sum to one, a product's own label left out; `labels` (N,) are 0..C-1, or -1. A
    pair's share is the mean, over the products labelled as one or the other, of the probability
    that they are the other one of the two.
    """
    counts = np.bincount(labels[labels >= 0], minlength=shares.shape[1])
    said = _summed(shares, labels)
    ones, others = np.triu_indices(len(counts), 1)
    products = counts[ones] + counts[others]
    both = np.minimum(counts[ones], counts[others]) > 0
    share = (said + said.T)[ones, others] / np.maximum(products, 1)
    chosen = np.flatnonzero(both & (share >= least))
    found: list[Pair] = []
    for at in chosen[np.argsort(-share[chosen], kind="stable")].tolist():
        if len(found) == most:
            break
        border = _border(shares, labels, ones[at], others[at])
        if len(border) >= FEWEST_EXAMPLES:
            numbers = int(ones[at]), int(others[at])
            found.append(Pair(*numbers, float(share[at]), int(products[at]), border))
    return found


def _summed(shares: Shares, labels: Labels) -> NDArray[np.float64]:
    """Return (C, C): of the products labelled as the row, the sum of their shares."""
    total = np.zeros((shares.shape[1],) * 2)
    for category in range(len(total)):
        total[category] = shares[labels == category].sum(0, dtype=np.float64)
    return total


def _border(shares: Shares, labels: Labels, one: int, other: int) -> Labels:
    """Return the rows of the two that may most be either: the lesser of both shares is largest."""
    rows = np.flatnonzero((labels == one) | (labels == other))
    lesser = np.minimum(shares[rows, one], shares[rows, other])
    order = np.argsort(-lesser, kind="stable")[:MOST_EXAMPLES]
    found: Labels = rows[order[lesser[order] >= UNDECIDED]]
    return found
