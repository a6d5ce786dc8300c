"""What a seeded catalogue is drawn from: labels, vectors and probabilities, from one seed."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tests.fakes import CLASSES, DIMENSION

UNKNOWN_LABELS = ("Polo", "Not sure")
NEIGHBOURS = 15


class Drawn:
    """Categories, labels, vectors and probabilities of `n` products, all from one seed."""

    def __init__(self, n: int, flagged: int) -> None:
        rng = np.random.default_rng(7)
        count = len(CLASSES)
        self.flagged = flagged
        self.true = np.arange(n) % count
        self.labels: list[str] = [CLASSES[k] for k in self.true]
        for row in range(flagged):
            self.labels[row] = CLASSES[(self.true[row] + 1 + row % 3) % count]
        self.labels[flagged + 1 : flagged + 3] = UNKNOWN_LABELS
        centres = rng.normal(size=(count, DIMENSION))
        vectors = centres[self.true] + 0.5 * rng.normal(size=(n, DIMENSION))
        self.vectors: NDArray[np.float32] = (
            vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        ).astype(np.float32)
        logits = 0.5 * rng.normal(size=(n, count)) + 4 * np.eye(count)[self.true]
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        self.probabilities: NDArray[np.float32] = shares.astype(np.float32)
        distances = np.linalg.norm(self.vectors[:, None] - self.vectors[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        self.neighbours = distances.argsort(axis=1)[:, : min(NEIGHBOURS, n - 1)]
        self.places: NDArray[np.float32] = (
            4 * centres[self.true, :2] + rng.normal(size=(n, 2))
        ).astype(np.float32)

    def known(self, row: int) -> bool:
        return self.labels[row] in CLASSES

    def looks_wrong(self, row: int) -> bool:
        return row < self.flagged

    def score(self, row: int) -> float | None:
        if not self.known(row):
            return None
        step = min(0.02, 0.7 / max(1, self.flagged))
        return 0.99 - step * row if self.looks_wrong(row) else 0.2 / (1 + row)

    def agreement(self, row: int) -> float | None:
        if not self.known(row):
            return None
        same = [self.labels[other] == self.labels[row] for other in self.neighbours[row]]
        return float(np.mean(same))


@lru_cache
def drawn(n: int, flagged: int) -> Drawn:
    """Return what `n` products are drawn as, the first `flagged` of which look wrong."""
    return Drawn(n, flagged)
