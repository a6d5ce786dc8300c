"""What an assessment says of every product, as columns, and which of it is stored already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.queries.scores import EXACT, MEASURED, StoredScores
from db.vectors import to_blob

SAME = 0.005  # what moved by less is left as stored: each label moves every number a little
NO_TWIN = -1

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class ScoreTable:
    """N products, by id; the columns are those of `schema.LabelScore`.

    `probabilities` (N, C) are out of fold; `neighbours` (N, k) are product ids, -1 for none;
    `twin_id` is -1 for none. A `score`, `agreement` or `oddity` that is nan or infinite is stored
    as null.
    """

    product_id: NDArray[np.int64]
    image_sha256: Sequence[str]
    label: Sequence[str | None]
    known_label: Flags
    probabilities: Numbers
    suggestion: Sequence[str]
    confidence: Numbers
    score: Numbers
    looks_wrong: Flags
    neighbours: NDArray[np.int64]
    agreement: Numbers
    twin_id: NDArray[np.int64]
    oddity: Numbers
    looks_odd: Flags

    def columns(self, row: int) -> dict[str, Any]:
        """Return one product as the database takes it."""
        near, twin = self.neighbours[row], int(self.twin_id[row])
        texts = {name: getattr(self, name)[row] for name in ("image_sha256", "label", "suggestion")}
        flags = ("known_label", "looks_wrong", "looks_odd")
        return {
            **texts,
            **{name: bool(getattr(self, name)[row]) for name in flags},
            **{name: _number(float(getattr(self, name)[row])) for name in MEASURED},
            "product_id": int(self.product_id[row]),
            "probabilities": to_blob(self.probabilities[row]),
            "neighbours": near[near >= 0].tolist(),
            "twin_id": None if twin == NO_TWIN else twin,
        }

    def exact(self) -> Mapping[str, NDArray[Any]]:
        """Return the columns of which every difference counts, as `StoredScores` has them."""
        return {name: _exact(name, getattr(self, name)) for name in EXACT}

    def measured(self) -> NDArray[np.float64]:
        """Return (N, 4), the numbers that may move a little; nan for none."""
        columns = [np.asarray(getattr(self, name), np.float64) for name in MEASURED]
        found = np.stack(columns, axis=1)
        found[~np.isfinite(found)] = np.nan
        return found


@dataclass(frozen=True)
class Unchanged:
    """Of what is stored under one assessment: the products of which nothing new is known."""

    assessment_id: int
    product_ids: NDArray[np.int64]
    others: tuple[int, ...]  # stored as well, but changed or gone


def unchanged(
    before: StoredScores | None, classes: Sequence[str], table: ScoreTable
) -> Unchanged | None:
    """Return what need not be written again; None where all must be.

    What is stored is compared with what was found now, never with an earlier difference, so it is
    never further than `SAME` from the truth. This takes no transaction.
    """
    if before is None or before.classes != list(classes):
        return None
    both, now, then = np.intersect1d(table.product_id, before.product_ids, return_indices=True)
    alike = np.ones(len(both), np.bool_)
    exact = table.exact()
    for name in EXACT:
        alike &= (exact[name][now] == before.exact[name][then]).astype(np.bool_)
    alike &= ~_moved(table.measured()[now], before.measured[then])
    alike &= ~_moved(table.probabilities[now], before.probabilities[then])
    kept = both[alike]
    others = np.setdiff1d(before.product_ids, kept)
    return Unchanged(before.assessment_id, kept, tuple(others.tolist()))


def _moved(one: NDArray[np.floating], other: NDArray[np.floating]) -> Flags:
    """Return (N,): whether a number moved, came or went."""
    differs = (np.abs(one - other) > SAME) | (np.isnan(one) != np.isnan(other))
    moved: Flags = differs.any(axis=1)
    return moved


def _exact(name: str, column: Any) -> NDArray[Any]:
    """Return a column as the database shows it: neighbours as their JSON, no twin as None."""
    if name == "neighbours":
        some = (column >= 0).any(axis=1).tolist()
        rows = zip(column.tolist(), some, strict=True)
        column = [
            str([near for near in row if near >= 0]) if found else "[]" for row, found in rows
        ]
    elif name == "twin_id":
        column = [None if twin == NO_TWIN else twin for twin in column.tolist()]
    return np.array(column, object)


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
