"""The sentences of a long list: why each label looks wrong, thousands of products at a time.

They are those of `evidence.sentence`. A page asks for the look-alikes of its few products; a list
of a million would ask for each product eight times, so it reads once what every product carries,
as two columns of numbers, and counts the look-alikes of thousands in a few steps.
"""

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from catalog_ai.data.labels import normal_label
from catalog_ai.services.evidence import SHOWN, Agreement, Judgement, explained
from db.pieces import in_parts
from db.queries import decisions, listings, products
from db.queries.decisions import DecisionRow
from db.queries.listings import ListedItem, ListedLabel
from db.queries.wanted import CONFIRMED

_OF_DECISIONS = frozenset({"second_look", "decided", "disputed"})  # queues whose words name one
_NOBODY = -1  # the number of a label that no product carries, and of a product that is none
_NO_LABEL = -2  # without a label nobody agrees with it


def sentences(
    session: Session, items: Sequence[ListedItem], queue: str, carried: "Carried"
) -> Iterator[str]:
    """Yield why each product is shown in this queue."""
    standing: dict[int, DecisionRow] = {}
    if queue in _OF_DECISIONS:
        for part in in_parts(item.id for item in items):
            standing |= decisions.standing(session, part, reviews=True)
    twins = {item.twin_id for item in items if item.twin_id} if queue == "twins" else set()
    known = products.by_ids(session, sorted(twins))
    for item, judged in zip(items, carried.judgements(items), strict=True):
        twin = known.get(item.twin_id) if item.twin_id else None
        yield explained(item, judged, queue, standing.get(item.id), twin)


def carried_by_all(session: Session) -> "Carried":
    """Return what every product of the catalogue carries."""
    return Carried(listings.labels(session))


def carried_around(session: Session, items: Sequence[ListedItem]) -> "Carried":
    """Return what the closest look-alikes of these products carry."""
    return Carried(listings.labels_of(session, np.unique(_nearest(items)).tolist()))


class Carried:
    """What products carry, found by product id: labels as numbers, and whether people confirmed."""

    def __init__(self, found: Iterable[ListedLabel]) -> None:
        self._numbers: dict[str, int] = {}  # a label as it is compared → its number
        ids, kinds = array("q", [0]), array("l", [0])  # what is not found is the first
        known: dict[tuple[str | None, str], int] = {}
        for product_id, label, state in found:
            ids.append(product_id)
            kinds.append(known.setdefault((label, state), len(known) + 1))
        names = [
            self._numbers.setdefault(_compared(label), len(self._numbers)) for label, _ in known
        ]
        confirmed = [state in CONFIRMED for _, state in known]
        order = np.argsort(ids, kind="stable")
        kind = np.array(kinds)[order]
        self._ids = np.array(ids)[order]
        self._labels = np.array([_NOBODY, *names])[kind]
        self._confirmed = np.array([False, *confirmed])[kind]

    def judgements(self, items: Sequence[ListedItem]) -> Iterator[Judgement | None]:
        """Yield what is said of each label, None where there is no score."""
        near = _nearest(items)
        places = np.searchsorted(self._ids, near).clip(max=len(self._ids) - 1)
        places[self._ids[places] != near] = 0
        labels, confirmed = self._labels[places], self._confirmed[places]
        suggested = self._agreement([item.suggestion for item in items], labels, confirmed)
        own = self._agreement([item.label_current for item in items], labels, confirmed)
        around = (places > 0).sum(1).tolist()
        for item, *counts in zip(items, around, suggested, own, strict=True):
            if item.suggestion is None or item.known_label is None:
                yield None
            else:
                yield Judgement(item.suggestion, item.known_label, *counts)

    def _agreement(
        self, names: Sequence[str | None], labels: NDArray[np.int64], confirmed: NDArray[np.bool_]
    ) -> Iterator[Agreement]:
        """Yield how many of each row's look-alikes carry its name."""
        wanted = [self._number(name) if name else _NO_LABEL for name in names]
        alike = labels == np.array(wanted)[:, None]
        counts = alike.sum(1).tolist(), (alike & confirmed).sum(1).tolist()
        return map(Agreement._make, zip(*counts, strict=True))

    def _number(self, label: str) -> int:
        return self._numbers.get(_compared(label), _NO_LABEL)


@lru_cache(maxsize=4096)
def _compared(label: str | None) -> str:
    return normal_label(label or "")


def _nearest(items: Sequence[ListedItem]) -> NDArray[np.int64]:
    """Return the closest look-alikes of each, (N, 8) product ids, 0 for none."""
    lists = json.loads(f"[{','.join(item.neighbours or '[]' for item in items)}]")
    return np.array([(*near[:SHOWN], *[0] * (SHOWN - len(near))) for near in lists], np.int64)
