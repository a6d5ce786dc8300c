"""In which order points are drawn where not all can be: each group gets its share, at any length.

The order is a matter of chance, but the same every time: a point's turn depends on its number and
on who else is in its group, so that a new product or a decision moves hardly anything.
"""

import numpy as np
from numpy.typing import NDArray

FIRST = 50  # of each group come before the shares: a small group is not lost among large ones
_STEPS = 60_000  # shares are told apart this finely: with FIRST they fit 16 bits, which sort fast


def by_chance(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of `numbers` in an order of chance, the same every time."""
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return np.argsort(mixed, kind="stable")


def fair_order(groups: NDArray[np.int32], shuffled: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `shuffled` in an order of which every beginning holds each group's share.

    `groups` (N,) are the groups of all points, 0 and above; `shuffled` (M,) are the places of those
    to put in order, as `by_chance` left them. `FIRST` of each group come before all others.
    """
    mine = groups[shuffled]
    if len(mine) and int(mine.max()) <= np.iinfo(np.uint16).max:
        mine = mine.astype(np.uint16)  # NumPy sorts 16 bits in one pass
    grouped = np.argsort(mine, kind="stable")
    sizes = np.bincount(mine)
    starts = np.cumsum(sizes) - sizes
    turn = np.arange(len(mine)) - np.repeat(starts, sizes)  # within the group
    share = FIRST + (turn * _STEPS) // np.repeat(np.maximum(sizes, 1), sizes)
    step = np.empty(len(mine), np.uint16)
    step[grouped] = np.where(turn < FIRST, turn, share)
    return shuffled[np.argsort(step, kind="stable")]
