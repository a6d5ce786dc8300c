"""What an assessment finds besides wrong labels: twins, odd photos, categories that overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.oddity import ODD, oddity
from catalog_ai.curation.taxonomy import overlapping
from catalog_ai.curation.twins import NONE, twins
from catalog_ai.data.sources import NO_LABEL_WORDS, normal_label
from db.commands.scores import OverlapRow


@dataclass(frozen=True)
class Looked:
    """N products as `assessing` has read them.

    `groups` (N,) are equal for one and the same file; `targets` (N,) are numbers of categories, -1
    for none. `marked` (M, F) are the features of photos that people said show no product.
    """

    product_ids: NDArray[np.int64]
    labels: Sequence[str | None]
    groups: NDArray[np.int64]
    targets: NDArray[np.int64]
    vectors: NDArray[np.float32]
    features: NDArray[np.float32] | None
    marked: NDArray[np.float32] | None


@dataclass(frozen=True)
class Flags:
    """Of N products: the id of a twin or None; `oddity` 0..1 or nan; whether it looks odd."""

    twin_ids: list[int | None]
    oddity: NDArray[np.float32]
    looks_odd: NDArray[np.bool_]


def flags(looked: Looked) -> Flags:
    """Look for near-identical photos under different labels, and for what is no product photo.

    Without features nobody can tell what is odd: the vectors are made to tell garments apart.
    """
    numbers = _label_numbers(looked.labels)
    rows = twins(looked.vectors, numbers, looked.groups, features=looked.features)
    odd = np.full(len(rows), np.nan, np.float32)
    if looked.features is not None:
        odd = oddity(looked.features, looked.targets, looked.marked)
    ids = looked.product_ids[rows].tolist()
    return Flags(
        [None if row == NONE else twin for row, twin in zip(rows.tolist(), ids, strict=True)],
        odd,
        np.nan_to_num(odd) > ODD,
    )


def _label_numbers(labels: Sequence[str | None]) -> NDArray[np.int64]:
    """Return (N,): one number for each label, however it is spelt; -1 where there is none."""
    known: dict[str, int] = dict.fromkeys(("", *NO_LABEL_WORDS), NONE)
    found = []
    for label in labels:
        found.append(known.setdefault(normal_label(label or ""), len(known)))
    return np.array(found, np.int64)


def overlaps(
    probabilities: NDArray[np.float32], classes: Sequence[str], looked: Looked
) -> list[OverlapRow]:
    """Return the pairs of categories that run into each other, each pair by name."""
    found = []
    for pair in overlapping(probabilities, looked.targets):
        one, other = sorted((classes[pair.one], classes[pair.other]))
        border = looked.product_ids[pair.border].tolist()
        found.append(OverlapRow(one, other, pair.share, pair.products, border))
    return found
