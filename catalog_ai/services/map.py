"""The map of the catalogue, as the worker drew it, under the labels of now.

A map of a million products is read in parts that change at different times: where products lie
(with a new map), what they carry (with a delivery or an assessment), and the decisions since. Who
keeps the first two pays for the last alone.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.fair_order import by_chance, fair_order
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import read
from db.queries import decisions, models, projections

NOT_SHOWN = -1
_REMEMBERED = 200_000  # SKUs; ten samples of a large map
Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Places:
    """Where N products lie on the newest map, by id; `shuffled` are their rows by chance."""

    product_ids: NDArray[np.int64]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    shuffled: NDArray[np.int64]
    created_at: datetime
    version: str


@dataclass(frozen=True)
class Named:
    """A name for each product: `codes[id]` is a place in `names`, or `NOT_SHOWN`."""

    codes: Numbers
    names: tuple[str, ...]

    def of(self, product_ids: NDArray[np.int64]) -> Numbers:
        """Return the codes of products; `NOT_SHOWN` for those that are not known."""
        if not len(self.codes):
            return np.full(len(product_ids), NOT_SHOWN, np.int32)
        known = product_ids < len(self.codes)
        found = self.codes[np.where(known, product_ids, 0)]
        return found if known.all() else np.where(known, found, np.int32(NOT_SHOWN))


@dataclass(frozen=True)
class Labels:
    """What all products carry after a decision: names, "" for no label, and whose look wrong.

    `wrong` are ids, the most suspicious first, with their `scores`.
    """

    named: Named
    wrong: NDArray[np.int64]
    scores: NDArray[np.float32]
    after_decision_id: int


@dataclass(frozen=True)
class MapView:
    """N products on the map: `product_ids` (N,) int64, `x` and `y` (N,) float32.

    `labels` (N,) are places in `names`, where "" stands for no label. `suspects` are the rows that
    look wrong, the most suspicious first; `others` the rest, fairly mixed. `not_drawn` products
    came after the map was drawn.
    """

    product_ids: NDArray[np.int64]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    labels: Numbers
    names: tuple[str, ...]
    suspects: NDArray[np.int64]
    others: NDArray[np.int64]
    created_at: datetime
    not_drawn: int
    version: str


class Skus:
    """SKUs of products, each read once: the points of a map hardly change with a decision."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[int, str] = {}

    def of(self, product_ids: NDArray[np.int64]) -> list[str]:
        """Return the SKUs of products, in their order."""
        asked = product_ids.tolist()
        known = self._known  # another session may begin a new one meanwhile
        missing = [number for number in asked if number not in known]
        if missing:
            with in_plain_words(), read(self._catalogue.engine) as session:
                known.update(projections.skus(session, missing))
        if len(known) > _REMEMBERED:
            self._known = {}
        return [known.get(number, "") for number in asked]


def load_places(catalogue: Catalogue) -> Places | None:
    """Return where products lie on the newest map of the active model, None where there is none."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        drawn = projections.newest(session, model.id) if model else None
    if model is None or drawn is None:
        return None
    return Places(
        product_ids=drawn.product_ids,
        x=np.ascontiguousarray(drawn.positions[:, 0]),
        y=np.ascontiguousarray(drawn.positions[:, 1]),
        shuffled=by_chance(drawn.product_ids),
        created_at=drawn.created_at,
        version=model.version,
    )


def load_labels(catalogue: Catalogue) -> Labels:
    """Return what all products carry at this moment."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        last = decisions.last_id(session) or 0
        groups = projections.labels(session)
        wrong, scores = projections.looking_wrong(session, model.id if model else 0)
    order = np.lexsort((wrong, -scores))
    named = _named([(name or "", ids) for name, ids in groups])
    return Labels(named, wrong[order], scores[order], last)


def load_suggestions(catalogue: Catalogue) -> Named:
    """Return what the last assessment suggests for each product, stale or not."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        groups = projections.suggestions(session, model.id) if model else []
    return _named([("", np.empty(0, np.int64)), *groups])


def map_view(
    catalogue: Catalogue, places: Places | None = None, labels: Labels | None = None
) -> MapView | None:
    """Return the newest map under the active model, None where there is none yet.

    `places` and `labels` are what `load_places` and `load_labels` returned, where the caller keeps
    them: then only what was decided since is read.
    """
    places = places or load_places(catalogue)
    if places is None:
        return None
    labels = with_decisions(catalogue, labels) if labels else load_labels(catalogue)
    codes = labels.named.of(places.product_ids)
    shown = codes != NOT_SHOWN
    row_of = np.cumsum(shown) - 1  # of the products that are shown
    shuffled = row_of[places.shuffled[shown[places.shuffled]]]
    product_ids, codes = places.product_ids[shown], codes[shown]
    suspects = _rows_of(product_ids, labels.wrong)
    looks_wrong = np.zeros(len(product_ids), np.bool_)
    looks_wrong[suspects] = True
    return MapView(
        *(product_ids, places.x[shown], places.y[shown], codes, labels.named.names),
        suspects=suspects,
        others=fair_order(codes, shuffled[~looks_wrong[shuffled]]),
        created_at=places.created_at,
        not_drawn=int(np.count_nonzero(labels.named.codes != NOT_SHOWN)) - len(product_ids),
        version=places.version,
    )


def with_decisions(catalogue: Catalogue, labels: Labels) -> Labels:
    """Return what products carry now, where only decisions were made since `labels` was read."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        last = decisions.last_id(session) or 0
        changed = projections.decided_since(
            session, model.id if model else 0, labels.after_decision_id
        )
    codes, names = labels.named.codes.copy(), list(labels.named.names)
    place = {name: code for code, name in enumerate(names)}
    # One that is not known came with a delivery since: then all is read again, by the next caller.
    changed = [row for row in changed if row.product_id < len(codes)]
    for row in changed:
        name = row.label or ""
        if row.shown and name not in place:
            place[name] = len(names)
            names.append(name)
        codes[row.product_id] = place[name] if row.shown else NOT_SHOWN
    left = ~np.isin(labels.wrong, [row.product_id for row in changed])
    again = [row for row in changed if row.looks_wrong and row.shown]
    wrong = np.append(labels.wrong[left], np.array([row.product_id for row in again], np.int64))
    scores = np.append(
        labels.scores[left], np.array([row.score or 0.0 for row in again], np.float32)
    )
    order = np.lexsort((wrong, -scores))
    return Labels(Named(codes, tuple(names)), wrong[order], scores[order], last)


def suggestions(
    catalogue: Catalogue, view: MapView, known: Named | None = None
) -> tuple[Numbers, tuple[str, ...]]:
    """Return (codes (N,), names) of what is suggested for the products of a map, "" for nothing.

    A suggestion counts only while it is about the present photo and label. `known` is what
    `load_suggestions` returned, where the caller keeps it.
    """
    known = known or load_suggestions(catalogue)
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        stale = projections.stale(session, model.id) if model else np.empty(0, np.int64)
    codes = np.maximum(known.of(view.product_ids), 0)
    codes[_rows_of(view.product_ids, stale)] = 0
    return codes, known.names


def _rows_of(product_ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return in which rows of `product_ids`, which rise, the wanted ones lie; others left out."""
    rows = np.searchsorted(product_ids, wanted)
    found = rows < len(product_ids)
    found[found] = product_ids[rows[found]] == wanted[found]
    return rows[found].astype(np.int64)


def _named(groups: list[tuple[str, NDArray[np.int64]]]) -> Named:
    highest = max((int(ids.max()) for _, ids in groups if len(ids)), default=-1)
    codes = np.full(highest + 1, NOT_SHOWN, np.int32)
    for code, (_, ids) in enumerate(groups):
        codes[ids] = code
    return Named(codes, tuple(name for name, _ in groups))
