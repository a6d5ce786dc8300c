"""Numbers by which an item is known again: of its content and its key, the same for ever.

They say what need not be computed anew, and serve as lots: what is drawn by them stays drawn when
items come or go (Carter and Wegman 1979, "Universal classes of hash functions").
"""

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 2_048
_STEADY_BITS = 4

Marks = NDArray[np.uint64]


def marks(rows: NDArray[np.float32], keys: NDArray[np.int64]) -> Marks:
    """Return (N,) uint64 of (N, D) rows and their (N,) keys: to the last bit the same, or another.

    Two that differ have one mark with a chance of 2⁻³².
    """
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32)
    weights = mixed(np.arange(1, bits.shape[1] + 1)) | np.uint64(1)
    found = mixed(keys)
    for start in range(0, len(bits), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        found[part] += (bits[part].astype(np.uint64) * weights).sum(1, dtype=np.uint64)
    return mixed(found)


def mixed(numbers: NDArray[np.integer]) -> Marks:
    """Return uint64 numbers that look drawn by chance (Steele et al. 2014, "SplitMix")."""
    found = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


def places(asked: Marks, among: Marks) -> NDArray[np.int64]:
    """Return (R,): where in `among` each of `asked` stands; -1 where it does not."""
    found = np.full(len(asked), -1, np.int64)
    if not len(among):
        return found
    order = np.argsort(among, kind="stable")
    at = np.minimum(np.searchsorted(among, asked, sorter=order), len(among) - 1)
    there = among[order[at]] == asked
    found[there] = order[at[there]]
    return found


def drawn(lots: Marks, count: int) -> NDArray[np.int64]:
    """Return `count` rows in their order: those of the smallest lots among most of the first rows.

    The last ninth at most is left out, so that rows that are added at the end change nothing, until
    there are an eighth more.
    """
    most = max(count, steady(len(lots)))
    smallest = np.argsort(lots[:most], kind="stable")[:count]
    found: NDArray[np.int64] = np.sort(smallest)
    return found


def steady(count: int) -> int:
    """Return the greatest number up to `count` of four binary digits, then zeros: it is steady."""
    below = max(0, count.bit_length() - _STEADY_BITS)
    return count >> below << below
