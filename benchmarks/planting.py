"""Wrong labels planted among right ones, and how early an order of suspicion meets them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from catalog_ai.data.sample import LOOK_ALIKES

COLUMNS = ((0.10, "any"), (0.10, "look-alike"), (0.05, "any"), (0.05, "look-alike"))

Scores = NDArray[np.floating]
Labels = NDArray[np.int64]
Flags = NDArray[np.bool_]


def plant(
    labels: Labels, classes: Sequence[str], share: float, kind: str, seed: int
) -> tuple[Labels, Flags]:
    """Return (N,) labels of which a share (0..1) is wrong, and which those are.

    "look-alike" picks from the category's look-alikes and leaves categories that have none alone.
    """
    rng = np.random.default_rng(seed)
    others = [
        [
            other
            for other in (LOOK_ALIKES.get(name, ()) if kind == "look-alike" else classes)
            if other in classes and other != name
        ]
        for name in classes
    ]
    given, wrong = labels.copy(), np.zeros(len(labels), np.bool_)
    candidates = [row for row, label in enumerate(labels) if others[label]]
    chosen = rng.choice(candidates, round(share * len(labels)), replace=False)
    wrong[chosen] = True
    for row in chosen:
        given[row] = classes.index(str(rng.choice(others[labels[row]])))
    return given, wrong


def average_precision(suspicion: Scores, wrong: Flags) -> float:
    """Return the mean, over wrong labels, of the share of wrong ones up to their place."""
    hits = wrong[np.argsort(-suspicion, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())
