"""Which products of a map can be clicked: all of a small one, a part of a large one at a time.

What looks wrong comes first, then a fair sample of each category. Who asks for the next sample, and
the next, meets every product once.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from catalog_ai.services.map import MapView

LIVE = 10_000  # points that a browser without a graphics card still moves with ease


@dataclass(frozen=True)
class Wanted:
    """Which part of a map: a category ("" is no label, None all), or only what looks wrong."""

    category: str | None = None
    only_wrong: bool = False


@dataclass(frozen=True)
class Sample:
    """K products of a part of the map: `rows` (K,) of the view, what looks wrong last.

    The part holds `products`, of which `wrong` look wrong; the sample shows `suspects` of those. It
    is the sample `number` of `count`.
    """

    rows: NDArray[np.int64]
    suspects: int
    products: int
    wrong: int
    number: int
    count: int


def part(view: MapView, wanted: Wanted) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of a part of the map: (what looks wrong, the others), each in its order."""
    suspects, others = view.suspects, view.others
    if wanted.only_wrong:
        others = others[:0]
    if wanted.category is not None:
        known = wanted.category in view.names
        code = view.names.index(wanted.category) if known else -1
        suspects, others = (rows[view.labels[rows] == code] for rows in (suspects, others))
    return suspects, others


def sample(view: MapView, wanted: Wanted, number: int = 1, live: int = LIVE) -> Sample:
    """Return the sample `number` of a part of the map: `live` products at most.

    Half of it is for what looks wrong, and more where the others do not need theirs; the first or
    the last sample stands for one that does not exist.
    """
    suspects, others = part(view, wanted)
    products = len(suspects) + len(others)
    room = max(live // 2, live - len(others))  # of each sample, for what looks wrong
    count = max(1, ceil(len(suspects) / room), ceil(products / live))
    number = min(max(number, 1), count)
    ends = [
        (min(turn * room, len(suspects)), turn * live - min(turn * room, len(suspects)))
        for turn in (number - 1, number)
    ]
    (first_wrong, first), (last_wrong, last) = ends
    shown = suspects[first_wrong:last_wrong]
    return Sample(
        rows=np.concatenate((others[first:last], shown[::-1])),  # the most suspicious on top
        suspects=len(shown),
        products=products,
        wrong=len(suspects),
        number=number,
        count=count,
    )
