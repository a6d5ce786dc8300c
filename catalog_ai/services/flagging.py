"""What an assessment finds besides wrong labels: twins, odd photos, categories that overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.marks import marks
from catalog_ai.curation.oddity import ODD, oddity
from catalog_ai.curation.rivals import NONE, Rivals
from catalog_ai.curation.taxonomy import overlapping
from catalog_ai.curation.twins import twins
from catalog_ai.data.sources import NO_LABEL_WORDS, normal_label
from db.commands.score_table import NO_TWIN
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
    """Of N products: the id of a twin or -1; `oddity` 0..1 or nan; whether it looks odd.

    `rivals` are for the next time.
    """

    twin_ids: NDArray[np.int64]
    oddity: NDArray[np.float32]
    looks_odd: NDArray[np.bool_]
    rivals: Rivals


def flags(looked: Looked, before: Rivals | None = None) -> Flags:
    """Look for near-identical photos under different labels, and for what is no product photo.

    Without features nobody can tell what is odd: the vectors are made to tell garments apart.
    """
    numbers = _label_numbers(looked.labels)
    rows, rivals = twins(
        *(looked.vectors, numbers, looked.groups),
        features=looked.features,
        lots=marks(looked.vectors, looked.product_ids),
        before=before,
    )
    odd = np.full(len(rows), np.nan, np.float32)
    if looked.features is not None:
        odd = oddity(looked.features, looked.targets, looked.marked)
    twin_ids = np.where(rows == NONE, NO_TWIN, looked.product_ids[rows])
    return Flags(twin_ids, odd, np.nan_to_num(odd) > ODD, rivals)


def _label_numbers(labels: Sequence[str | None]) -> NDArray[np.int64]:
    """Return (N,): one number for each label, however it is spelt; -1 where there is none.

    It is the same number at any time: what is remembered of labels goes by it.
    """
    known: dict[str | None, int] = {}
    for label in set(labels):
        name = normal_label(label or "")
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=7).digest()
        nothing = name in ("", *NO_LABEL_WORDS)
        known[label] = NONE if nothing else int.from_bytes(digest, "big")
    return np.array([known[label] for label in labels], np.int64)


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
