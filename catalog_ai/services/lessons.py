"""What the next model is to learn from, and what it is measured on: chosen from the catalogue.

A label that somebody gave or kept counts; one that looks wrong and that nobody decided about is not
learnt. It does take part in measuring: what looks wrong is where the active model and the label
disagree, and to leave that out would pass over the active model's own mistakes alone. Of a large
catalogue a part is taken, each category alike, what people confirmed first.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from catalog_ai.data.held_out import is_held_out
from catalog_ai.data.labels import NO_LABEL_WORDS, normal_label, usable_classes
from catalog_ai.errors import TrainingDataError
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import read
from db.queries import comparing, decisions
from db.queries.comparing import LabelledRow
from db.queries.models import ModelRow

MOST_LEARNT = 8_000  # photos: an epoch of `default` takes ten minutes on two cores
MOST_MEASURED = 4_000
_ENOUGH = 8  # photos of a category that no model knew before


@dataclass(frozen=True)
class Material:
    """Products by what they are for; `classes` are the categories of the next model."""

    classes: tuple[str, ...]
    training: tuple[LabelledRow, ...]
    held_out: tuple[LabelledRow, ...]
    confirmed: int  # of those in `training`
    doubted: int  # left out


@dataclass
class _Shelf:
    """The best rows of one category: those that people confirmed, then by digest."""

    most: int
    rows: list[tuple[bool, str, LabelledRow]] = field(default_factory=list)

    def add(self, row: LabelledRow, confirmed: bool) -> None:
        self.rows.append((not confirmed, row.image_sha256, row))
        if len(self.rows) > 2 * self.most:
            self.best()

    def best(self) -> list[tuple[bool, str, LabelledRow]]:
        self.rows.sort(key=lambda one: (one[0], one[1], one[2].id))
        del self.rows[self.most :]
        return self.rows


def choose(catalogue: Catalogue, model: ModelRow) -> Material:
    """Return what a successor of `model` learns from and is measured on.

    Raises `TrainingDataError` where there are fewer than two categories, or nothing to measure on.
    """
    spellings: Counter[str] = Counter()
    learnt: dict[str, _Shelf] = defaultdict(lambda: _Shelf(MOST_LEARNT))
    measured: dict[str, _Shelf] = defaultdict(lambda: _Shelf(MOST_MEASURED))
    with in_plain_words(), read(catalogue.engine) as session:
        confirmed = set(decisions.confirmed(session))
    doubted, last = 0, 0
    while rows := _page(catalogue, model, last):
        last = rows[-1].id
        for row in rows:
            name = normal_label(row.label or "")
            if name in NO_LABEL_WORDS:
                continue
            is_measured = is_held_out(row.image_sha256)
            if row.doubted and not is_measured:
                doubted += 1
                continue
            spellings[row.label or ""] += 1
            shelf = measured if is_measured else learnt
            shelf[name].add(row, row.id in confirmed)
    classes = _classes(spellings, model.classes, set(learnt))
    names = [normal_label(name) for name in classes]
    training = _alike({name: learnt[name] for name in names}, MOST_LEARNT)
    held_out = _alike({name: measured[name] for name in names}, MOST_MEASURED)
    if not held_out:
        raise TrainingDataError(
            "there is no photo to measure a new model on, since one in five is kept for that: "
            "take in more products first"
        )
    known = sum(row.id in confirmed for row in training)
    return Material(classes, training, held_out, known, doubted)


def _page(catalogue: Catalogue, model: ModelRow, after_id: int) -> list[LabelledRow]:
    with in_plain_words(), read(catalogue.engine) as session:
        return comparing.labelled(session, model.id, after_id=after_id)


def _classes(
    spellings: Counter[str], known: tuple[str, ...], learnable: set[str]
) -> tuple[str, ...]:
    """Return categories in the catalogue's spelling: those with enough photos, or known before."""
    enough = {normal_label(name) for name in usable_classes(spellings.elements(), minimum=_ENOUGH)}
    wanted = (enough | {normal_label(name) for name in known}) & learnable
    names = usable_classes(spellings.elements(), minimum=1)
    classes = tuple(name for name in names if normal_label(name) in wanted)
    if len(classes) < 2:
        raise TrainingDataError(
            f"fewer than two categories have {_ENOUGH} photos each: give more products a label "
            "first"
        )
    return classes


def _alike(shelves: dict[str, _Shelf], most: int) -> tuple[LabelledRow, ...]:
    """Return up to `most` rows, the first of each category, then the second of each, and so on."""
    ranked = [
        (rank, digest, row)
        for shelf in shelves.values()
        for rank, (_, digest, row) in enumerate(shelf.best())
    ]
    ranked.sort(key=lambda one: (one[0], one[1], one[2].id))
    return tuple(row for _, _, row in ranked[:most])
